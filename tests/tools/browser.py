#!/usr/bin/python3
"""Opens a page of `tessera run --view web` in a headless Chromium, through chromedriver (W3C WebDriver), and looks and types as a user does.

browser.py URL HEADS STATE [--password WORD] [--click HEAD] [--type TEXT] [--shot FILE]

STATE is a shell command that prints what the heads show, a line each: head=N size=WxH crc=XXXXXXXX. Waits until HEADS monitors are connected
and their canvases show that; clicks and types; and waits until all of it is different and the canvases show that. Prints what they show.
Ends with 1 and a sentence when something does not come within 30 s.
"""
import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

WAIT = 30


class Browser:
    def __init__(self):
        self.driver = subprocess.Popen(['chromedriver', '--port=0'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.session = None
        for line in self.driver.stdout:
            port = re.search(r'successfully on port (\d+)', line)
            if port:
                break
        else:
            sys.exit('chromedriver did not start')
        self.url = f'http://127.0.0.1:{port[1]}/session'
        self.profile = tempfile.TemporaryDirectory()
        arguments = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--window-size=1400,1100',
                     f'--user-data-dir={self.profile.name}', '--no-first-run', '--disable-background-networking']
        self.session = self.call('', {'capabilities': {'alwaysMatch': {'browserName': 'chrome', 'goog:chromeOptions': {
            'args': arguments}}}})['sessionId']
        self.url += '/' + self.session

    def call(self, path, body=None, method='POST'):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {'Content-Type': 'application/json'}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)['value']

    def run(self, script, *arguments):
        return self.call('/execute/sync', {'script': script, 'args': list(arguments)})

    def close(self):
        if self.session:
            self.call('', method='DELETE')
        self.driver.terminate()
        self.driver.wait()
        try:
            self.profile.cleanup()
        except OSError:
            pass  # Chromium is still about to go

    def keys(self, text):
        actions = [{'type': kind, 'value': c} for c in text for kind in ('keyDown', 'keyUp')]
        self.call('/actions', {'actions': [{'type': 'key', 'id': 'keyboard', 'actions': actions}]})

    def click(self, selector, x, y):
        at = self.run('const r = document.querySelector(arguments[0]).getBoundingClientRect(); return [r.x, r.y, r.width, r.height];', selector)
        move = {'type': 'pointerMove', 'x': int(at[0] + x * at[2]), 'y': int(at[1] + y * at[3])}
        self.call('/actions', {'actions': [{'type': 'pointer', 'id': 'mouse', 'actions': [
            move, {'type': 'pointerDown', 'button': 0}, {'type': 'pause', 'duration': 100}, {'type': 'pointerUp', 'button': 0}]}]})


CANVASES = '''
const all = {};
for (const m of document.querySelectorAll('.monitor')) {
  const c = m.querySelector('canvas');
  if (c && c.width && c.height) all[m.dataset.head] = [c.width, c.height];
}
return all;'''

GIVE_PASSWORD = '''
document.querySelector("#password input").value = arguments[0];
document.querySelector("#password button").click();'''

PIXELS = '''
const c = document.querySelector(`.monitor[data-head="${arguments[0]}"] canvas`);
const px = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
let s = '';
for (let i = 0; i < px.length; i += 32768)
  s += String.fromCharCode(...px.subarray(i, Math.min(i + 32768, px.length)));
return [c.width, c.height, btoa(s)];'''


def picture(browser, head):
    """The size of a head's canvas and the CRC-32 of its pixels as B, G, R, 0."""
    width, height, text = browser.run(PIXELS, head)
    rgba = base64.b64decode(text)
    bgr0 = bytearray(len(rgba))
    bgr0[0::4], bgr0[1::4], bgr0[2::4] = rgba[2::4], rgba[1::4], rgba[0::4]
    return f'{width}x{height}', f'{zlib.crc32(bgr0):08X}'


def wait_for(what, test):
    until = time.monotonic() + WAIT
    while True:
        got = test()
        if got:
            return got
        if time.monotonic() > until:
            raise TimeoutError(f'{what}: not within {WAIT} s')
        time.sleep(0.2)


def shown(browser):
    return ['head={} size={} crc={}'.format(head, *picture(browser, head)) for head in sorted(browser.run(CANVASES), key=int)]


def same(browser, state, not_yet):
    """What the page shows, if that is what the guest's heads show and no head shows what it did before."""
    want = subprocess.run(state, shell=True, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return want if want == shown(browser) and not set(want) & set(not_yet) else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('url')
    parser.add_argument('heads', type=int)
    parser.add_argument('state')
    for option in ('--password', '--click', '--type', '--shot'):
        parser.add_argument(option)
    o = parser.parse_args()
    browser = Browser()
    try:
        browser.call('/url', {'url': o.url})
        if o.password:
            wait_for('the form for a password', lambda: browser.run('return !document.getElementById("password").hidden;'))
            browser.run(GIVE_PASSWORD, 'not it')
            wait_for('the refusal of a wrong password', lambda: browser.run('return !document.getElementById("wrong").hidden;'))
            if browser.run(CANVASES):
                raise TimeoutError('a head is shown without the password')
            browser.run(GIVE_PASSWORD, o.password)
        wait_for(f'{o.heads} heads', lambda: len(browser.run(CANVASES)) == o.heads)
        lines = wait_for("the guest's pictures", lambda: same(browser, o.state, []))
        if o.click:
            browser.click(f'.monitor[data-head="{o.click}"] canvas', 0.5, 0.5)
        if o.type:
            browser.keys(o.type)
            wait_for('the echo', lambda: same(browser, o.state, lines))
            time.sleep(0.5)  # the rest of it
            lines = wait_for("the guest's pictures", lambda: same(browser, o.state, lines))
        print('\n'.join(lines))
        if o.shot:
            with open(o.shot, 'wb') as f:
                f.write(base64.b64decode(browser.call('/screenshot', method='GET')))
    except (TimeoutError, OSError, subprocess.CalledProcessError) as why:
        print(why)
        return 1
    finally:
        browser.close()
    return 0


sys.exit(main())
