#!/usr/bin/python3
"""seeds.py RECORDING DIR: seeds for the fuzzers, from a recording of `tessera run --record` (host/record.h): its frames, its display datagrams,
its control stream, and its beginning as a file. A few thousand bytes each; one of a small head has all kinds of frames in them.
"""
import os
import struct
import sys

MOST = 4000
DISPLAY, STREAM = 0x10, 0x11


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def records(data):
    at = 20
    while at < len(data):
        begin = at
        _, at = varint(data, at)
        size, at = varint(data, at)
        yield data[at:at + size], data[begin:at + size]
        at += size + 4


def piece(body):
    return struct.pack('<H', len(body)) + body


def write(folder, fuzzer, name, data):
    os.makedirs(f'{folder}/{fuzzer}', exist_ok=True)
    with open(f'{folder}/{fuzzer}/{name}', 'wb') as f:
        f.write(data)


def main():
    with open(sys.argv[1], 'rb') as f:
        data = f.read()
    folder = sys.argv[2]
    nonce = struct.pack('<I', 0x12345678)
    frames, datagrams, control, raw = [], [], [], []
    for body, record in records(data):
        raw.append(record)
        if body[0] < 0xf0:
            frames.append(body[:7] + nonce + body[11:] if body[0] == 2 else body)
        if body[0] == DISPLAY:
            datagrams.append(body[3:])
        if body[0] == STREAM and body[3] & 0x7f == 0:
            control.append(body[8:])
    for fuzzer, mode, parts in (('frames', b'\0', frames), ('display', b'', datagrams), ('control', b'', control),
                                ('recording', b'\1', raw)):
        for step, name in ((1, 'begin'), (7, 'mixed')):
            out = mode
            for part in parts[::step]:
                if len(out) + len(part) < MOST:
                    out += piece(part)
            write(folder, fuzzer, name, out)
    write(folder, 'recording', 'file', b'\0' + data[:MOST])


main()
