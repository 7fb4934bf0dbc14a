/* Prints what a guest test prints of a screen, from a PNG: size=WxH crc=XXXXXXXX (zlib's CRC-32 over B, G, R, 0 row by row). */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int main(int argc, char **argv)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	unsigned char *px;
	unsigned long crc = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: pngcrc FILE.png\n");
		return 2;
	}
	if (!png_image_begin_read_from_file(&image, argv[1])) {
		fprintf(stderr, "%s: %s\n", argv[1], image.message);
		return 1;
	}
	image.format = PNG_FORMAT_BGRA;
	px = malloc(PNG_IMAGE_SIZE(image));
	if (!px || !png_image_finish_read(&image, NULL, px, 0, NULL)) {
		fprintf(stderr, "%s: %s\n", argv[1], px ? image.message : "out of memory");
		return 1;
	}
	for (size_t i = 3; i < PNG_IMAGE_SIZE(image); i += 4)
		px[i] = 0;
	crc = crc32(0, px, (unsigned)PNG_IMAGE_SIZE(image));
	printf("size=%ux%u crc=%08lX\n", image.width, image.height, crc);
	free(px);
	return 0;
}
