'use strict';
const { summary, timeline, measured } = JSON.parse(document.getElementById('data').textContent);
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

// Accuracy: none where a stored network was compiled.
const share = value => value === null ? '' : number(100 * value, 2) + '%';
const figure = (value, digits) => value === null ? '' : number(value, digits);
// How values are spread: the float network filled, the integers as a line, the ends of their range dashed. Heights are logarithms: tails are seen.
function spread(distribution, range) {
  const width = 220, height = 44, { least, greatest, float, quantized } = distribution;
  const { svg, add, explain } = drawing(width, height);
  const highest = Math.log1p(Math.max(...float, ...quantized)), step = width / float.length;
  const y = count => height - 2 - (height - 4) * Math.log1p(count) / highest;
  float.forEach((count, index) => count && add('rect', { class: 'float', x: index * step, width: step, y: y(count), height: height - 2 - y(count) }));
  const line = quantized.flatMap((count, index) => [[index * step, y(count)], [(index + 1) * step, y(count)]]);
  add('polyline', { class: 'quantized', points: line.map(point => point.join(',')).join(' ') });
  for (const end of range || []) if (end > least && end < greatest) {
    const x = (end - least) / (greatest - least) * width;
    add('line', { class: 'end', x1: x, x2: x, y1: 0, y2: height });
  }
  const reach = range ? `; its integers show ${range.map(end => Number(end.toPrecision(5))).join(' to ')}` : '';
  explain(svg, `values from ${Number(least.toPrecision(5))} to ${Number(greatest.toPrecision(5))}${reach}`);
  return svg;
}
const measures = [
  ['Node', node => node.name], ['Operator', node => node.operator], ['On', node => node.on], ['Type', node => node.output_data_type],
  ['Range by', node => node.judged_by || ''], ['Cost as int8', node => node.cost_as_int8 === null ? '' : node.cost_as_int8.toExponential(1)],
  ['Calibrated cosine', node => figure(node.calibrated_cosine, 6)], ['Quantized cosine', node => figure(node.quantized_cosine, 6)],
  ['SQNR (dB)', node => figure(node.quantized_sqnr_db, 1)], ['Saturated', node => share(node.saturated)], ['Levels used', node => share(node.levels_used)],
];
const isFigure = index => index > 4;
function accuracyTable() {
  const table = byId('accuracy-table'), wanted = byId('node-filter').value.toLowerCase();
  table.replaceChildren();
  const head = table.createTHead().insertRow(), body = table.createTBody();
  measures.forEach(([title], index) => head.append(element('th', title, isFigure(index) ? 'number' : '')));
  head.append(element('th', 'Values'));
  measured.accuracy.nodes.forEach((node, index) => {
    if (!(node.name + ' ' + node.operator).toLowerCase().includes(wanted)) return;
    const row = body.insertRow(), picture = element('td', undefined, 'spread');
    row.append(...measures.map(([, value], index) => element('td', value(node), isFigure(index) ? 'number' : '')), picture);
    if (node.reason) row.title = 'on the CPU: ' + node.reason;
    if (measured.distributions[index]) picture.append(spread(measured.distributions[index], node.range));
  });
}
function accuracy() {
  byId('accuracy-tab').hidden = !measured;
  if (!measured) return;
  const { judged, outputs } = measured.accuracy;
  rows(byId('judged'), judged ? [
    ['samples that judge', judged.samples], ['mean cosine of the worst part', figure(judged.cosine, 6)], ['that part', judged.worst],
    ['with int8 alone', figure(judged.int8_cosine, 6)], ['wanted', judged.wanted_cosine === undefined ? 'int8 whatever comes of it' : figure(judged.wanted_cosine, 4)],
  ] : [['samples that judge', 'none: random numbers say nothing of the accuracy on real data']]);
  const table = byId('output-table'), head = table.createTHead().insertRow(), body = table.createTBody();
  ['Output', 'Calibrated cosine', 'Quantized cosine', 'SQNR (dB)'].forEach((title, index) => head.append(element('th', title, index ? 'number' : '')));
  for (const output of outputs) {
    const figures = [figure(output.calibrated_cosine, 6), figure(output.quantized_cosine, 6), figure(output.quantized_sqnr_db, 1)];
    body.insertRow().append(element('td', output.name), ...figures.map(text => element('td', text, 'number')));
  }
  byId('node-filter').oninput = accuracyTable;
  accuracyTable();
}
accuracy();

// Timeline: two pictures with the same time, that of the engines and that of local memory.
const canvas = byId('canvas'), context = canvas.getContext('2d');
const memoryMap = byId('memory-map'), memoryContext = memoryMap.getContext('2d');
const colors = ['#3b82c4', '#8c6bb8', '#d9822b', '#2a9d78', '#c9a227', '#c2577a', '#5f8a3a'];
const label = 64, axis = 26, lane = 34, mapHeight = 260;
let from = 0, to = latency, pointed = -1, dragging = null;
byId('joined').hidden = !timeline.joined;
const nameOf = ({ layers }) => layers.length > 3 ? `${layers[0]}, ${layers[1]} \u2026 ${layers.at(-1)} (${layers.length} layers)` : layers.join(', ');
const timeOf = group => `${group.stripes} stripes, ${number(group['start (us)'])} to ${number(group['end (us)'])} \u00b5s`;
rows(byId('groups'), timeline.groups.map(group => [nameOf(group), timeOf(group)]));
byId('no-groups').hidden = timeline.groups.length > 0;
function fit(picture, drawing, height) {
  const scale = window.devicePixelRatio || 1;
  picture.width = Math.max(1, picture.clientWidth * scale);
  picture.height = height * scale;
  picture.style.height = height + 'px';
  drawing.setTransform(scale, 0, 0, scale, 0, 0);
}
function resize() {
  fit(canvas, context, axis + lane * timeline.engines.length);
  fit(memoryMap, memoryContext, axis + mapHeight);
  draw();
}
const place = time => label + (time - from) / (to - from) * (canvas.clientWidth - label);
const timeAt = x => from + (x - label) / (canvas.clientWidth - label) * (to - from);
const colorOf = layer => `hsl(${layer * 137.5 % 360} 55% 55%)`;
const row = byte => axis + byte / timeline.memory.bytes * mapHeight;
// Names of rows, with their lines, and times.
function frame(drawing, height, rows) {
  const style = getComputedStyle(document.documentElement);
  drawing.globalAlpha = 1;
  drawing.fillStyle = style.getPropertyValue('--text');
  drawing.strokeStyle = style.getPropertyValue('--line');
  drawing.textBaseline = 'middle';
  const width = canvas.clientWidth;
  for (const [name, y, line] of rows) {
    drawing.textAlign = 'left';
    drawing.fillText(name, 8, y);
    drawing.beginPath(); drawing.moveTo(0, line); drawing.lineTo(width, line); drawing.stroke();
  }
  const rough = (to - from) / 8, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find(m => m * power >= rough) * power;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  drawing.textAlign = 'center';
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) {
    const x = place(tick);
    drawing.beginPath(); drawing.moveTo(x, axis - 6); drawing.lineTo(x, height); drawing.stroke();
    if (x < width - 30) drawing.fillText(number(tick, digits) + ' \u00b5s', x, axis / 2);
  }
}
function begin(drawing, height) {
  drawing.clearRect(0, 0, canvas.clientWidth, height);
  drawing.font = '12px system-ui, sans-serif';
}
// Left and right end on the picture; none when it lies outside.
function ends(start, duration) {
  const x = Math.max(place(start), label), end = Math.min(place(start + duration), canvas.clientWidth);
  return end < label || x > canvas.clientWidth ? null : [x, end];
}
function draw() {
  const height = axis + lane * timeline.engines.length;
  begin(context, height);
  timeline.groups.forEach((group, index) => {
    const span = ends(group['start (us)'], group['end (us)'] - group['start (us)']);
    if (!span) return;
    context.globalAlpha = 0.15;
    context.fillStyle = colorOf(index);
    context.fillRect(span[0], 0, Math.max(span[1] - span[0], 0.6), height);
  });
  for (const [engine, which, start, duration] of timeline.bars) {
    const span = ends(start, duration);
    if (!span) continue;
    context.globalAlpha = pointed < 0 || which === pointed ? 1 : 0.3;
    context.fillStyle = colors[engine % colors.length];
    const width = span[1] - span[0];
    context.fillRect(span[0], axis + lane * engine + 5, Math.max(width - (width > 3 ? 1 : 0), 0.6), lane - 10);
  }
  frame(context, height, timeline.engines.map((engine, index) => [engine, axis + lane * (index + 0.5), axis + lane * index]));
  begin(memoryContext, axis + mapHeight);
  for (const [which, first, bytes, start, duration] of timeline.memory.residents) {
    const span = ends(start, duration);
    if (!span) continue;
    memoryContext.globalAlpha = pointed < 0 || which === pointed ? 1 : 0.3;
    memoryContext.fillStyle = colorOf(which);
    memoryContext.fillRect(span[0], row(first), Math.max(span[1] - span[0], 0.6), Math.max(row(bytes) - row(0), 0.6));
  }
  const quarters = [0, 0.25, 0.5, 0.75, 1].map(part => [bytes(part * timeline.memory.bytes), row(part * timeline.memory.bytes) - (part ? 8 : -8), row(part * timeline.memory.bytes)]);
  frame(memoryContext, axis + mapHeight, quarters);
}
function limit(low, high) {
  const span = Math.min(latency, Math.max(high - low, latency / 1e6));
  from = Math.max(0, Math.min(low, latency - span));
  to = from + span;
  draw();
}
// What stands at a place: its layer, and what to say of it.
function engineAt(x, y) {
  const engine = Math.floor((y - axis) / lane), time = timeAt(x), slack = (to - from) / canvas.clientWidth;
  const group = y < axis && timeline.groups.find(group => time >= group['start (us)'] && time <= group['end (us)']);
  if (group) return [-1, `${nameOf(group)}: ${timeOf(group)}`];
  const found = timeline.bars.find(([row, , start, duration]) =>
    row === engine && time >= start - slack && time <= start + duration + slack);
  return found && [found[1], `${timeline.engines[found[0]]}, ${timeline.layers[found[1]]}: ${number(found[2])} \u00b5s for ${number(found[3])} \u00b5s`];
}
function residentAt(x, y) {
  const time = timeAt(x), byte = (y - axis) / mapHeight * timeline.memory.bytes;
  const found = timeline.memory.residents.find(([, first, bytes, start, duration]) =>
    byte >= first && byte < first + bytes && time >= start && time <= start + duration);
  return found && [found[0], `${timeline.layers[found[0]]}: ${bytes(found[2])} from byte ${found[1].toLocaleString('en')} on, ${number(found[3])} \u00b5s for ${number(found[4])} \u00b5s`];
}
for (const [picture, lookup] of [[canvas, engineAt], [memoryMap, residentAt]]) {
  picture.addEventListener('wheel', event => {
    event.preventDefault();
    const at = timeAt(Math.max(event.offsetX, label)), factor = Math.exp(event.deltaY * 0.0015);
    limit(at - (at - from) * factor, at + (to - at) * factor);
  }, { passive: false });
  picture.ondblclick = () => limit(0, latency);
  picture.onpointerdown = event => { dragging = { x: event.offsetX, from, to }; picture.setPointerCapture(event.pointerId); };
  picture.onpointerup = () => { dragging = null; };
  picture.onpointermove = event => {
    if (dragging) {
      const shift = (event.offsetX - dragging.x) / (canvas.clientWidth - label) * (dragging.to - dragging.from);
      limit(dragging.from - shift, dragging.to - shift);
      return;
    }
    const found = event.offsetX < label ? undefined : lookup(event.offsetX, event.offsetY);
    byId('tip').textContent = found ? found[1] : '\u00a0';
    if (pointed === (found ? found[0] : -1)) return;
    pointed = found ? found[0] : -1;
    draw();
  };
}
window.onresize = () => { if (!byId('timeline').hidden) resize(); };
show(tabs.some(tab => !tab.hidden && '#show-' + tab.dataset.tab === location.hash) ? location.hash.slice(6) : 'summary');
