// The page of `--view web`: a monitor for each head that is on, each a noVNC client of the head's own server. /status.json says which.
import RFB from './novnc/core/rfb.js';

const heads = document.getElementById('heads');
const status = document.getElementById('status');
const form = document.getElementById('password');
const monitors = new Map(); // head -> {element, title, progress, screen, rfb}
let password = null;

function connect(head) {
    const m = monitors.get(head);
    if (!m || m.rfb)
        return;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const rfb = new RFB(m.screen, `${scheme}://${location.host}/head/${head}`,
                        { shared: true, credentials: password === null ? {} : { password } });
    rfb.scaleViewport = true;
    rfb.background = '#000';
    rfb.addEventListener('credentialsrequired', () => { form.hidden = false; form.querySelector('input').focus(); });
    rfb.addEventListener('connect', () => {
        form.hidden = true;
        if (monitors.size === 1 || head === Math.min(...monitors.keys()))
            rfb.focus();
    });
    rfb.addEventListener('securityfailure', () => {
        password = null;
        form.hidden = document.getElementById('wrong').hidden = false;
    });
    rfb.addEventListener('disconnect', () => {
        m.rfb = null;
        if (form.hidden)
            setTimeout(() => connect(head), 1000);
    });
    m.rfb = rfb;
}

form.addEventListener('submit', (event) => {
    event.preventDefault();
    password = form.querySelector('input').value;
    document.getElementById('wrong').hidden = true;
    for (const [head, m] of monitors) {
        if (m.rfb)
            m.rfb.sendCredentials({ password });
        else
            connect(head);
    }
});

function addMonitor(head) {
    const element = document.createElement('section');
    const title = document.createElement('h2');
    const progress = document.createElement('progress');
    const screen = document.createElement('div');
    element.className = 'monitor';
    element.dataset.head = head;
    screen.className = 'screen';
    progress.max = 100;
    element.append(title, progress, screen);
    const after = [...monitors.keys()].filter((other) => other > head).sort((a, b) => a - b)[0];
    heads.insertBefore(element, after === undefined ? null : monitors.get(after).element);
    monitors.set(head, { element, title, progress, screen, rfb: null });
    connect(head);
}

function removeMonitor(head) {
    const m = monitors.get(head);
    monitors.delete(head);
    if (m.rfb)
        m.rfb.disconnect();
    m.element.remove();
}

function show(state) {
    const on = new Set(state.heads.map((h) => h.head));
    for (const head of [...monitors.keys()])
        if (!on.has(head))
            removeMonitor(head);
    for (const h of state.heads) {
        if (!monitors.has(h.head))
            addMonitor(h.head);
        const m = monitors.get(h.head);
        m.title.textContent = `Head ${h.head}: ${h.width} x ${h.height}` + (h.percent < 100 ? `, ${h.percent} %` : '');
        m.progress.value = h.percent;
        m.progress.hidden = h.percent >= 100;
    }
    heads.style.gridTemplateColumns = `repeat(${Math.max(1, Math.ceil(Math.sqrt(on.size)))}, minmax(0, 1fr))`;
    document.getElementById('none').hidden = on.size > 0;
    const left = state.heads.reduce((sum, h) => sum + h.left, 0);
    status.textContent = `${state.guest} \u00b7 ${(state.rate / 1000).toFixed(1)} kB/s` + (left ? ` \u00b7 ${left} tiles to come` : '');
    document.title = `Tessera: ${state.guest}`;
}

async function look() {
    try {
        const response = await fetch('status.json', { cache: 'no-store' });
        show(await response.json());
    } catch {
        status.textContent = 'The run is over, or out of reach.';
    }
    setTimeout(look, 1000);
}
look();
