#include "host/pane.h"

#include <string.h>

#include "devices/vga_font.h"
#include "host/say.h"

#define GAP 8		/* pixels between heads */
#define EMPTY_WIDTH 640 /* of a window without a head */
#define EMPTY_HEIGHT 480
#define BAR 6 /* pixels of a loading head's bar */
#define TEXT_MAX 160

int pane_open(struct pane *p, const char *title, uint32_t heads)
{
	*p = (struct pane){ .heads = heads, .stale = true, .width = EMPTY_WIDTH, .height = EMPTY_HEIGHT + PANE_STATUS_HEIGHT };
	p->window = SDL_CreateWindow(title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, p->width, p->height,
				     SDL_WINDOW_RESIZABLE);
	p->renderer = p->window ? SDL_CreateRenderer(p->window, -1, 0) : NULL;
	if (p->renderer)
		return 0;
	say("a window: %s", SDL_GetError());
	pane_close(p);
	return -1;
}

void pane_close(struct pane *p)
{
	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		if (p->texture[h])
			SDL_DestroyTexture(p->texture[h]);
	if (p->renderer)
		SDL_DestroyRenderer(p->renderer);
	if (p->window)
		SDL_DestroyWindow(p->window);
	*p = (struct pane){ 0 };
}

void pane_changed(struct pane *p, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	SDL_Rect r = { (int)x0, (int)y0, (int)(x1 - x0), (int)(y1 - y0) };

	if (!p->window || !(p->heads >> head & 1))
		return;
	p->stale = true;
	if (resized)
		p->resized |= 1u << head;
	else if (SDL_RectEmpty(&p->fresh[head]))
		p->fresh[head] = r;
	else
		SDL_UnionRect(&p->fresh[head], &r, &p->fresh[head]);
}

/* A window whose size the user left alone gets that of its heads, or what the screen has room for in the same shape. */
static void fit_window(struct pane *p)
{
	SDL_Rect room = { 0, 0, 1 << 14, 1 << 14 };
	unsigned width = p->layout.width ? p->layout.width : EMPTY_WIDTH;
	unsigned height = p->layout.height ? p->layout.height : EMPTY_HEIGHT;
	int w, h, display = SDL_GetWindowDisplayIndex(p->window);
	double scale = 1;

	SDL_GetWindowSize(p->window, &w, &h);
	if (w != p->width || h != p->height)
		return;
	if (display >= 0)
		SDL_GetDisplayUsableBounds(display, &room);
	room.h -= PANE_STATUS_HEIGHT;
	if (room.w > 0 && width > (unsigned)room.w)
		scale = (double)room.w / width;
	if (room.h > 0 && height * scale > room.h)
		scale = (double)room.h / height;
	p->width = (int)(width * scale);
	p->height = (int)(height * scale) + PANE_STATUS_HEIGHT;
	SDL_SetWindowSize(p->window, p->width, p->height);
	SDL_SetWindowPosition(p->window, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED);
}

static void set_modes(struct pane *p, const struct canvas *heads)
{
	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		const struct canvas *c = &heads[h];

		if (!(p->resized >> h & 1))
			continue;
		if (p->texture[h])
			SDL_DestroyTexture(p->texture[h]);
		p->texture[h] = NULL;
		if (c->width)
			p->texture[h] = SDL_CreateTexture(p->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
							  c->width, c->height);
		if (c->width && !p->texture[h])
			say("head %u: %s", h, SDL_GetError());
		p->fresh[h] = (SDL_Rect){ 0, 0, c->width, c->height };
		p->layout.head[h].width = c->width;
		p->layout.head[h].height = c->height;
	}
	p->resized = 0;
	layout_make(&p->layout, GAP);
	fit_window(p);
}

static void update(struct pane *p, unsigned head, const struct canvas *c)
{
	SDL_Rect all = { 0, 0, c->width, c->height }, r;

	if (SDL_IntersectRect(&p->fresh[head], &all, &r))
		SDL_UpdateTexture(p->texture[head], &r, c->px + (size_t)r.y * c->width + r.x, c->width * 4);
	p->fresh[head] = (SDL_Rect){ 0, 0, 0, 0 };
}

/* Where the heads are in the window: scaled so that all fit above the status line, in the middle. */
static double place(const struct pane *p, int *left, int *top)
{
	int w, h;
	double scale, vertical;

	SDL_GetWindowSize(p->window, &w, &h);
	h -= PANE_STATUS_HEIGHT;
	*left = *top = 0;
	if (!p->layout.width || w <= 0 || h <= 0)
		return 1;
	scale = (double)w / p->layout.width;
	vertical = (double)h / p->layout.height;
	scale = vertical < scale ? vertical : scale;
	*left = (int)((w - p->layout.width * scale) / 2);
	*top = (int)((h - p->layout.height * scale) / 2);
	return scale;
}

static SDL_Rect head_rect(const struct layout_place *l, double scale, int left, int top)
{
	return (SDL_Rect){ left + (int)(l->x * scale), top + (int)(l->y * scale), (int)(l->width * scale),
			   (int)(l->height * scale) };
}

static void draw_bar(struct pane *p, SDL_Rect r, unsigned percent)
{
	SDL_Rect all = { r.x, r.y + r.h - BAR, r.w, BAR }, done = all;

	done.w = (int)((unsigned)r.w * percent / 100);
	SDL_SetRenderDrawColor(p->renderer, 0x33, 0x38, 0x44, 0xff);
	SDL_RenderFillRect(p->renderer, &all);
	SDL_SetRenderDrawColor(p->renderer, 0x5b, 0x8c, 0xff, 0xff);
	SDL_RenderFillRect(p->renderer, &done);
}

static void draw_status(struct pane *p, const char *text)
{
	static SDL_Point points[TEXT_MAX * VGA_FONT_ROWS * 8];
	SDL_Rect line;
	int n = 0, w, h;

	SDL_GetWindowSize(p->window, &w, &h);
	line = (SDL_Rect){ 0, h - PANE_STATUS_HEIGHT, w, PANE_STATUS_HEIGHT };
	SDL_SetRenderDrawColor(p->renderer, 0x1e, 0x21, 0x29, 0xff);
	SDL_RenderFillRect(p->renderer, &line);
	for (int i = 0; i < TEXT_MAX && text[i]; i++)
		for (int y = 0; y < VGA_FONT_ROWS; y++)
			for (int x = 0; x < 8; x++)
				if (vga_font[(uint8_t)text[i]][y] >> (7 - x) & 1)
					points[n++] = (SDL_Point){ 8 + i * 8 + x, line.y + 2 + y };
	SDL_SetRenderDrawColor(p->renderer, 0xd5, 0xd9, 0xe0, 0xff);
	SDL_RenderDrawPoints(p->renderer, points, n);
}

void pane_draw(struct pane *p, const struct canvas *heads, const struct loading *loading, const char *status)
{
	int left, top;
	double scale;

	if (!p->window || !p->stale)
		return;
	p->stale = false;
	if (p->resized)
		set_modes(p, heads);
	scale = place(p, &left, &top);
	SDL_SetRenderDrawColor(p->renderer, 0, 0, 0, 0xff);
	SDL_RenderClear(p->renderer);
	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		SDL_Rect r = head_rect(&p->layout.head[h], scale, left, top);
		unsigned percent = loading_percent(loading, h, now_us());

		if (!p->texture[h])
			continue;
		update(p, h, &heads[h]);
		SDL_SetTextureScaleMode(p->texture[h], scale == (int)scale ? SDL_ScaleModeNearest : SDL_ScaleModeLinear);
		SDL_RenderCopy(p->renderer, p->texture[h], NULL, &r);
		if (percent < 100)
			draw_bar(p, r, percent);
	}
	draw_status(p, status);
	SDL_RenderPresent(p->renderer);
}

int pane_head_at(const struct pane *p, int x, int y, unsigned *head_x, unsigned *head_y)
{
	int left, top;
	double scale = place(p, &left, &top);

	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		const struct layout_place *l = &p->layout.head[h];
		SDL_Rect r = head_rect(l, scale, left, top);

		if (!l->width || !SDL_PointInRect(&(SDL_Point){ x, y }, &r))
			continue;
		*head_x = (unsigned)((x - r.x) / scale);
		*head_y = (unsigned)((y - r.y) / scale);
		*head_x = *head_x < l->width ? *head_x : l->width - 1;
		*head_y = *head_y < l->height ? *head_y : l->height - 1;
		return (int)h;
	}
	return -1;
}
