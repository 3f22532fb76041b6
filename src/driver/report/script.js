'use strict';
const { summary, timeline } = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);
const latency = summary.performance['latency (us)'];

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}
const number = (value, digits = 3) =>
  Number(value).toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
function bytes(value) {
  for (const [unit, size] of [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]]) if (value >= size) return number(value / size, 2) + ' ' + unit;
  return value + ' bytes';
}
function rows(table, pairs) {
  for (const [name, value] of pairs) {
    const row = table.insertRow();
    row.append(element('td', name), element('td', value, 'number'));
  }
}

// Tabs.
const tabs = [...document.querySelectorAll('nav button')];
function show(name) {
  for (const tab of tabs) {
    const chosen = tab.dataset.tab === name;
    tab.setAttribute('aria-selected', chosen);
    byId(tab.dataset.tab).hidden = !chosen;
  }
  if (name === 'timeline') resize();
}
for (const tab of tabs) tab.onclick = () => { history.replaceState(null, '', '#show-' + tab.dataset.tab); show(tab.dataset.tab); };

// Summary.
const model = summary['model info'], ddr = summary['DDR access data'], bounds = summary.bounds;
byId('subtitle').textContent =
  `predicted for ${model['BPU march']}, ${model['BPU core number']} core, compiled by hb ${model['compiling HB version']}`;
for (const [value, name] of [
  [number(latency, 1) + ' \u00b5s', 'latency'],
  ...summary.performance['CPU (us)'] > 0 ? ['BPU', 'CPU', 'crossings'].map(part =>
    [number(summary.performance[part + ' (us)'], 1) + ' \u00b5s', part === 'crossings' ? 'of that, between BPU and CPU' : 'of that, on the ' + part]) : [],
  ...summary['function calls'].number > 1 ? [[summary['function calls'].number, `function calls, the longest ${number(summary['function calls']['longest (us)'], 1)} \u00b5s`]] : [],
  [number(bounds['compute bound (us)'], 1) + ' \u00b5s', 'at least, for computing'],
  [number(bounds['DDR bound (us)'], 1) + ' \u00b5s', 'at least, for DDR'],
  [number(summary.performance.FPS, 1), 'FPS (1 core)'],
  [bytes(ddr['loaded bytes per run'] + ddr['stored bytes per run']), 'DDR traffic per run'],
  [bytes(ddr['min memory requirement']), 'memory needed'],
  [number(model['original conv ops'] / 1e9, 3) + ' G', 'conv OPs per run'],
  [number(model['conv ops per second (1e12)'], 3), 'conv TOPS reached'],
]) {
  const tile = element('div', undefined, 'tile');
  tile.append(element('b', value), element('span', name));
  byId('tiles').append(tile);
}
for (const engine of summary['engine time']) {
  const row = element('div', undefined, 'bar-row'), track = element('div', undefined, 'track'), bar = element('div');
  bar.style.width = Math.min(100, 100 * engine.share) + '%';
  track.append(bar);
  const value = `${number(engine['busy (us)'], 1)} \u00b5s, ${number(100 * engine.share, 1)}%, ${engine.instructions} instr.`;
  row.append(element('span', engine.engine), track, element('span', value, 'value'));
  byId('engines').append(row);
}
rows(byId('memory'), [
  ['loaded from DDR per run', bytes(ddr['loaded bytes per run'])], ['stored to DDR per run', bytes(ddr['stored bytes per run'])],
  ['inputs', bytes(ddr['input memory'])], ['outputs', bytes(ddr['output memory'])],
  ['programs and constants', bytes(ddr['static memory'])], ['between segments', bytes(ddr['intermediate memory'])],
  ['workspaces', bytes(ddr['temporary memory'])],
]);
rows(byId('segments'), summary.performance['latency (us) by segments'].map(segment =>
  [`${segment.segment} (${segment.processor})`, number(segment['latency (us)'], 1) + ' \u00b5s']));
rows(byId('model'), [['name', model['model name']], ['march', model['BPU march']], ['hb version', model['compiling HB version']]]);
for (const note of summary.notes) byId('notes').append(element('li', note));
rows(byId('options'), model['compiling options']);

// Temporal statistics.
const interval = summary['interval info'];
const space = 'http://www.w3.org/2000/svg';
function drawing(width, height) {
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const add = (name, attributes, text) => {
    const made = document.createElementNS(space, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    svg.append(made);
    return made;
  };
  const explain = (mark, text) => mark.append(Object.assign(document.createElementNS(space, 'title'), { textContent: text }));
  return { svg, add, explain };
}
function chart(id, values, unit, top) {
  const width = 1000, height = 180, left = 60, bottom = 22, inner = height - bottom - 8;
  const highest = top || Math.max(...values, 1e-9);
  const { svg, add, explain } = drawing(width, height);
  svg.setAttribute('preserveAspectRatio', 'none');
  for (const part of [0, 0.5, 1]) {
    const y = 8 + inner * (1 - part);
    add('line', { class: 'grid', x1: left, x2: width, y1: y, y2: y });
    add('text', { x: left - 6, y: y + 4, 'text-anchor': 'end' }, number(highest * part, 0) + (unit === '%' ? '%' : ''));
  }
  const step = (width - left) / Math.max(1, values.length);
  values.forEach((value, index) => {
    const size = inner * value / highest, from = index * interval['interval time (ms)'] * 1e3;
    const bar = add('rect', { class: 'bar', x: left + index * step, width: Math.max(1, step - 1), y: 8 + inner - size, height: size });
    explain(bar, `${number(from, 2)} to ${number(from + interval['interval time (ms)'] * 1e3, 2)} \u00b5s: ${number(value, 1)} ${unit}`);
  });
  add('text', { x: left, y: height - 4 }, '0');
  add('text', { x: width, y: height - 4, 'text-anchor': 'end' }, number(latency, 1) + ' \u00b5s');
  byId(id).append(element('span', unit === '%' ? 'percent of each interval' : 'megabytes per second', 'explanation'), svg);
}
chart('utilization', interval['interval computing unit utilization'].map(value => 100 * value), '%', 100);
chart('loading', interval['interval ddr loading bandwidth (megabytes/s)'], 'MB/s');
chart('storing', interval['interval ddr storing bandwidth (megabytes/s)'], 'MB/s');

// Roofline: OPs per byte of DDR against OPs per second, both logarithmic.
function roofline() {
  const peak = bounds['peak conv ops per second (1e12)'] * 1e12, bandwidth = bounds['DDR bandwidth (megabytes/s)'] * 1e6;
  const points = summary['layer details'].map(layer => {
    const bytes = layer['loaded bytes'] + layer['stored bytes'], time = (layer['end (us)'] - layer['start (us)']) / 1e6;
    return { layer, intensity: layer.ops / bytes, speed: layer.ops / time };
  }).filter(point => point.speed > 0 && isFinite(point.speed));
  if (!points.length) {
    byId('roofline').append(element('p', 'No layer multiplies.', 'explanation'));
    return;
  }
  const ridge = peak / bandwidth, finite = points.map(point => point.intensity).filter(isFinite);
  const low = Math.floor(Math.log10(Math.min(ridge / 10, ...finite))), high = Math.ceil(Math.log10(Math.max(ridge * 10, ...finite)));
  const bottom = Math.floor(Math.log10(Math.min(peak / 1e3, ...points.map(point => point.speed)))), top = Math.log10(peak) + 0.3;
  const width = 1000, height = 320, left = 60, right = 20, below = 34;
  const { svg, add, explain } = drawing(width, height);
  const x = value => left + (Math.log10(value) - low) / (high - low) * (width - left - right);
  const y = value => height - below - (Math.log10(value) - bottom) / (top - bottom) * (height - below - 8);
  for (let power = low; power <= high; power++) {
    add('line', { class: 'grid', x1: x(10 ** power), x2: x(10 ** power), y1: 8, y2: height - below });
    add('text', { x: x(10 ** power), y: height - below + 14, 'text-anchor': 'middle' }, (10 ** power).toLocaleString('en', { maximumFractionDigits: 6 }));
  }
  for (let power = bottom; power <= Math.floor(top); power++) {
    add('line', { class: 'grid', x1: left, x2: width - right, y1: y(10 ** power), y2: y(10 ** power) });
    add('text', { x: left - 6, y: y(10 ** power) + 4, 'text-anchor': 'end' }, (10 ** (power - 12)).toLocaleString('en', { maximumFractionDigits: 9 }));
  }
  const start = Math.max(10 ** low, 10 ** bottom / bandwidth);
  add('polyline', { class: 'roof', points: [[start, start * bandwidth], [ridge, peak], [10 ** high, peak]].map(([a, b]) => x(a) + ',' + y(b)).join(' ') });
  // A layer whose operands lie in local memory already stands at the right end.
  for (const { layer, intensity, speed } of points) {
    const mark = add('circle', { class: 'mark', cx: x(isFinite(intensity) ? intensity : 10 ** high), cy: y(speed), r: 4 });
    const per = isFinite(intensity) ? number(intensity, 1) + ' OPs per byte' : 'nothing from or to DDR';
    explain(mark, `${layer['layer name']} (${layer.operator}): ${number(speed / 1e12, 3)} TOPS, ${per}; bound by ${layer['bound by']}`);
  }
  add('text', { x: width - right, y: height - 4, 'text-anchor': 'end' }, 'OPs per byte of DDR');
  byId('roofline').append(element('span', 'TOPS', 'explanation'), svg);
}
roofline();

// Layer details.
const columns = [
  ['layer name', 'Layer'], ['operator', 'Operator'], ['segment', 'Segment'], ['start (us)', 'Start'], ['end (us)', 'End'],
  ['computing (us)', 'Computing'], ['load (us)', 'Load'], ['store (us)', 'Store'], ['bound by', 'Bound by'], ['bound share', 'Share'],
  ['ops', 'OPs'], ['loaded bytes', 'Loaded bytes'], ['stored bytes', 'Stored bytes'], ['origin ops', 'Made from'],
];
const whole = key => key === 'ops' || key.endsWith('bytes');
const numeric = key => key.endsWith('(us)') || key === 'bound share' || whole(key);
let sorting = 'start (us)', descending = false;
function layerTable() {
  const table = byId('layer-table'), wanted = byId('filter').value.toLowerCase();
  table.replaceChildren();
  const head = table.createTHead().insertRow();
  for (const [key, title] of columns) {
    const cell = element('th', title + (key.endsWith('(us)') ? ' (\u00b5s)' : '') + (key === sorting ? (descending ? ' \u25bc' : ' \u25b2') : ''));
    cell.dataset.key = key;
    cell.tabIndex = 0;
    if (numeric(key)) cell.className = 'number';
    cell.onclick = () => { descending = key === sorting ? !descending : numeric(key); sorting = key; layerTable(); };
    cell.onkeydown = event => { if (event.key === 'Enter') cell.onclick(); };
    head.append(cell);
  }
  const body = table.createTBody();
  const compare = (a, b) => numeric(sorting) ? a[sorting] - b[sorting] : String(a[sorting]).localeCompare(String(b[sorting]));
  const shown = summary['layer details'].filter(layer => (layer['layer name'] + ' ' + layer.operator).toLowerCase().includes(wanted));
  for (const layer of shown.sort((a, b) => descending ? compare(b, a) : compare(a, b))) {
    const row = body.insertRow();
    for (const [key] of columns) {
      const value = layer[key];
      const text = whole(key) ? value.toLocaleString('en') : key === 'bound share' ? number(100 * value, 0) + '%' : numeric(key) ? number(value) : Array.isArray(value) ? value.join(', ') : value;
      row.append(element('td', text, numeric(key) ? 'number' : ''));
    }
  }
}
byId('filter').oninput = layerTable;
layerTable();

// Timeline.
const canvas = byId('canvas'), context = canvas.getContext('2d');
const colors = ['#3b82c4', '#8c6bb8', '#d9822b', '#2a9d78', '#c9a227', '#c2577a', '#5f8a3a'];
const label = 64, axis = 26, lane = 34;
let from = 0, to = latency, pointed = -1, dragging = null;
byId('joined').hidden = !timeline.joined;
function resize() {
  const scale = window.devicePixelRatio || 1, height = axis + lane * timeline.engines.length;
  canvas.width = Math.max(1, canvas.clientWidth * scale);
  canvas.height = height * scale;
  canvas.style.height = height + 'px';
  context.setTransform(scale, 0, 0, scale, 0, 0);
  draw();
}
const place = time => label + (time - from) / (to - from) * (canvas.clientWidth - label);
const timeAt = x => from + (x - label) / (canvas.clientWidth - label) * (to - from);
function draw() {
  const style = getComputedStyle(document.documentElement), text = style.getPropertyValue('--text'), line = style.getPropertyValue('--line');
  const width = canvas.clientWidth, height = axis + lane * timeline.engines.length;
  context.clearRect(0, 0, width, height);
  context.font = '12px system-ui, sans-serif';
  const layer = pointed >= 0 ? timeline.bars[pointed][1] : -1;
  for (const [engine, which, start, duration] of timeline.bars) {
    const x = Math.max(place(start), label), end = Math.min(place(start + duration), width);
    if (end < label || x > width) continue;
    context.globalAlpha = layer < 0 || which === layer ? 1 : 0.3;
    context.fillStyle = colors[engine % colors.length];
    context.fillRect(x, axis + lane * engine + 5, Math.max(end - x - (end - x > 3 ? 1 : 0), 0.6), lane - 10);
  }
  context.globalAlpha = 1;
  context.fillStyle = text;
  context.strokeStyle = line;
  context.textBaseline = 'middle';
  timeline.engines.forEach((engine, index) => {
    context.textAlign = 'left';
    context.fillText(engine, 8, axis + lane * (index + 0.5));
    context.beginPath(); context.moveTo(0, axis + lane * index); context.lineTo(width, axis + lane * index); context.stroke();
  });
  const rough = (to - from) / 8, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find(m => m * power >= rough) * power;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  context.textAlign = 'center';
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) {
    const x = place(tick);
    context.beginPath(); context.moveTo(x, axis - 6); context.lineTo(x, height); context.stroke();
    if (x < width - 30) context.fillText(number(tick, digits) + ' \u00b5s', x, axis / 2);
  }
}
function limit(low, high) {
  const span = Math.min(latency, Math.max(high - low, latency / 1e6));
  from = Math.max(0, Math.min(low, latency - span));
  to = from + span;
  draw();
}
canvas.addEventListener('wheel', event => {
  event.preventDefault();
  const at = timeAt(Math.max(event.offsetX, label)), factor = Math.exp(event.deltaY * 0.0015);
  limit(at - (at - from) * factor, at + (to - at) * factor);
}, { passive: false });
canvas.ondblclick = () => limit(0, latency);
canvas.onpointerdown = event => { dragging = { x: event.offsetX, from, to }; canvas.setPointerCapture(event.pointerId); };
canvas.onpointerup = () => { dragging = null; };
canvas.onpointermove = event => {
  if (dragging) {
    const shift = (event.offsetX - dragging.x) / (canvas.clientWidth - label) * (dragging.to - dragging.from);
    limit(dragging.from - shift, dragging.to - shift);
    return;
  }
  const engine = Math.floor((event.offsetY - axis) / lane), time = timeAt(event.offsetX), slack = (to - from) / canvas.clientWidth;
  const found = event.offsetX < label ? -1 : timeline.bars.findIndex(([row, , start, duration]) =>
    row === engine && time >= start - slack && time <= start + duration + slack);
  if (found === pointed) return;
  pointed = found;
  if (found >= 0) {
    const [row, layer, start, duration] = timeline.bars[found];
    byId('tip').textContent = `${timeline.engines[row]}, ${timeline.layers[layer]}: ${number(start)} \u00b5s for ${number(duration)} \u00b5s`;
  } else {
    byId('tip').textContent = '\u00a0';
  }
  draw();
};
window.onresize = () => { if (!byId('timeline').hidden) resize(); };
show(tabs.some(tab => '#show-' + tab.dataset.tab === location.hash) ? location.hash.slice(6) : 'summary');
