"use strict";
/* The case viewer: a slice on a canvas, layers over it, a slider, keys. It uses nothing but this page. */
(() => {
  const root = document.getElementById("case-viewer");
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  if (!root || !part("canvas")) return;

  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { layers, heat } = read("viewer-layers");
  const canvas = part("canvas");
  const picker = part("case");
  const slider = part("slice");
  const readout = part("readout");
  const profile = part("profile");
  const scratch = document.createElement("canvas");
  const LARGEST = 840; // pixels of the canvas's longer side
  const FILL = 0.18; // opacity of a mask inside its outline at full strength
  const MARK = "#d6d6d6";
  const TUMOUR = 1;
  const NORMAL = 0;
  const WORDS = { [TUMOUR]: "tumour", [NORMAL]: "normal" };

  const cases = new Map(); // index -> promise of a case whose pictures are decoded
  const shown = new Set(layers.filter((layer) => layer.shown).map((layer) => layer.id));
  let current = null;
  let wanted = 0; // index of the case asked for last; a slower one that arrives after it is not shown
  let z = 0;
  let strength = 0.6;

  async function decoded(address) {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  }

  async function load(index) {
    const found = read(`case-${index}`);
    found.slices = await decoded(found.slices);
    for (const [id, layer] of Object.entries(found.layers)) {
      if (typeof layer === "string") found.layers[id] = await decoded(layer);
    }
    return found;
  }

  async function open(index, slice) {
    wanted = index;
    if (!cases.has(index)) cases.set(index, load(index));
    const found = await cases.get(index);
    if (wanted !== index) return;
    current = found;
    picker.value = String(index);
    slider.max = String(current.count - 1);
    const scale = Math.max(1, Math.floor(LARGEST / Math.max(current.width, current.height)));
    canvas.width = current.width * scale;
    canvas.height = current.height * scale;
    scratch.width = current.width;
    scratch.height = current.height;
    for (const box of root.querySelectorAll("[data-layer]")) {
      box.disabled = !(box.dataset.layer in current.layers);
    }
    for (const words of root.querySelectorAll("[data-figures]")) {
      words.textContent = current.figures[words.dataset.figures] || "";
    }
    part("told").textContent = current.told;
    go(slice === undefined ? current.start : slice);
  }

  function go(slice) {
    z = Math.min(Math.max(slice, 0), current.count - 1);
    slider.value = String(z);
    draw();
  }

  function place() {
    return [(z % current.columns) * current.width, Math.floor(z / current.columns) * current.height];
  }

  /* The red channel of this slice in a sheet of grey slices. */
  function pixels(sheet) {
    const { width, height } = current;
    const context = scratch.getContext("2d", { willReadFrequently: true });
    context.clearRect(0, 0, width, height);
    context.drawImage(sheet, ...place(), width, height, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  }

  function draw() {
    const context = canvas.getContext("2d");
    const { width, height } = current;
    context.imageSmoothingQuality = "high";
    context.imageSmoothingEnabled = true;
    context.drawImage(current.slices, ...place(), width, height, 0, 0, canvas.width, canvas.height);
    for (const layer of layers) {
      const sheet = current.layers[layer.id];
      if (sheet === undefined || !shown.has(layer.id)) continue;
      if (layer.kind === "map") drawMap(context, pixels(sheet));
      if (layer.kind === "mask") drawMask(context, pixels(sheet), layer);
      if (layer.kind === "prompts") drawPrompts(context, sheet[z] || [], layer);
    }
    drawMarks(context);
    say();
    drawProfile();
  }

  function paint(context, image, smooth) {
    scratch.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = smooth;
    context.drawImage(scratch, 0, 0, canvas.width, canvas.height);
  }

  function drawMap(context, image) {
    const data = image.data;
    for (let i = 0; i < data.length; i += 4) {
      const value = data[i];
      [data[i], data[i + 1], data[i + 2]] = heat[value];
      data[i + 3] = 255 * strength * Math.sqrt(value / 255);
    }
    paint(context, image, true);
  }

  function drawMask(context, image, layer) {
    const { width, height } = current;
    const data = image.data;
    const inside = new Uint8Array(width * height);
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(layer.colour.slice(at, at + 2), 16));
    for (let i = 0; i < inside.length; i += 1) {
      inside[i] = data[4 * i] > 127 ? 1 : 0;
      data.set([red, green, blue, inside[i] * 255 * strength * FILL], 4 * i);
    }
    paint(context, image, false);
    stroke(context, border(inside, width, height), layer);
  }

  /* The border of a mask along the edges of its pixels: runs of edges between lines of pixels, both ways. */
  function border(inside, width, height) {
    const scale = canvas.width / width;
    const path = new Path2D();
    const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && inside[y * width + x] === 1;
    const ways = [
      [height, width, (line, i) => at(i, line) !== at(i, line - 1), (line, i) => [i * scale, line * scale]],
      [width, height, (line, i) => at(line, i) !== at(line - 1, i), (line, i) => [line * scale, i * scale]],
    ];
    for (const [lines, along, isEdge, point] of ways) {
      for (let line = 0; line <= lines; line += 1) {
        for (let i = 0, start = -1; i <= along; i += 1) {
          const edge = i < along && isEdge(line, i);
          if (edge && start < 0) start = i;
          if (!edge && start >= 0) {
            path.moveTo(...point(line, start));
            path.lineTo(...point(line, i));
            start = -1;
          }
        }
      }
    }
    return path;
  }

  function stroke(context, path, layer) {
    const width = Math.max(2, canvas.width / 300);
    context.setLineDash(layer.dash ? layer.dash.split(" ").map((length) => length * 2) : []);
    for (const [colour, wide] of [["rgb(0 0 0 / 65%)", 2 * width], [layer.colour, width]]) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.stroke(path);
    }
    context.setLineDash([]);
  }

  function drawPrompts(context, prompts, layer) {
    const scale = canvas.width / current.width;
    const path = new Path2D();
    const points = new Path2D();
    const arm = 9;
    for (const prompt of prompts) {
      if (prompt.box) path.rect(...prompt.box.map((value) => value * scale));
      for (const [x, y] of prompt.in) {
        points.rect(x * scale - arm, y * scale, 2 * arm, 0);
        points.rect(x * scale, y * scale - arm, 0, 2 * arm);
      }
      for (const [x, y] of prompt.out) {
        for (const sign of [-1, 1]) {
          points.moveTo(x * scale - arm, y * scale - sign * arm);
          points.lineTo(x * scale + arm, y * scale + sign * arm);
        }
      }
    }
    stroke(context, path, layer);
    stroke(context, points, { ...layer, dash: "" });
  }

  /* Letters of the patient's sides, and a scale bar. */
  function drawMarks(context) {
    const { marks } = current;
    const { width, height } = canvas;
    const size = Math.max(12, Math.min(width, height) / 22);
    const gap = size / 3;
    const scale = width / current.width;
    const write = (words, x, y, align, baseline) => {
      context.textAlign = align;
      context.textBaseline = baseline;
      context.strokeText(words, x, y);
      context.fillText(words, x, y);
    };
    context.save(); // the next drawing begins with the lines' own joins
    context.font = `${size}px system-ui, sans-serif`;
    context.lineJoin = "round";
    context.strokeStyle = "#000";
    context.lineWidth = size / 4;
    context.fillStyle = MARK;
    write(marks.left, gap, gap, "left", "top");
    write(marks.right, width - gap, gap, "right", "top");
    write(marks.top, width / 2, gap, "center", "top");
    write(marks.bottom, width / 2, height - gap, "center", "bottom");
    write(marks.words, width - gap, height - 2 * gap, "right", "bottom");
    const bar = new Path2D();
    bar.moveTo(width - gap - marks.bar * scale, height - gap);
    bar.lineTo(width - gap, height - gap);
    stroke(context, bar, { colour: MARK, dash: "" });
    context.restore();
  }

  function say() {
    const source = `z ${z} (0 to ${current.count - 1}), axial slice ${z + current.axial} of the source`;
    const label = current.labels.length ? WORDS[current.labels[z]] || "uncertain" : "";
    const clip = label ? `; CLIP ${current.probability[z].toFixed(2)}, ${label}` : "";
    readout.textContent = source + clip;
    canvas.setAttribute("aria-label", `${picker.selectedOptions[0].textContent.trim()}: ${readout.textContent}`);
  }

  /* CLIP's probability along z, with a mark at this slice. */
  function drawProfile() {
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const context = profile.getContext("2d");
    profile.hidden = current.labels.length === 0;
    profile.width = Math.max(1, Math.round(profile.clientWidth * (window.devicePixelRatio || 1)));
    const step = profile.width / current.count;
    const tall = profile.height - 4;
    current.probability.forEach((value, index) => {
      const kind = WORDS[current.labels[index]] || "uncertain";
      context.fillStyle = colour(`--${kind}`);
      context.fillRect(index * step, profile.height - value * tall, Math.max(1, step - 1), value * tall);
    });
    context.fillStyle = colour("--ink");
    context.fillRect((z + 0.5) * step - 1, 0, 2, profile.height);
  }

  function toggle(id) {
    const box = root.querySelector(`[data-layer="${id}"]`);
    if (!box || box.disabled) return;
    if (shown.has(id)) shown.delete(id);
    else shown.add(id);
    box.checked = shown.has(id);
    if (current) draw();
  }

  function step(by) {
    const index = Number(picker.value) + by;
    if (index >= 0 && index < picker.options.length) open(index);
  }

  const KEYS = {
    ArrowRight: () => go(z + 1),
    ArrowUp: () => go(z + 1),
    ArrowLeft: () => go(z - 1),
    ArrowDown: () => go(z - 1),
    PageUp: () => go(z + 10),
    PageDown: () => go(z - 10),
    Home: () => go(0),
    End: () => go(current.count - 1),
    n: () => step(1),
    p: () => step(-1),
    ...Object.fromEntries(layers.map((layer) => [layer.key, () => toggle(layer.id)])),
  };

  root.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    const control = event.target.matches("select, input");
    const own = control && (event.target.matches("select") || event.key.length > 1);
    if (!act || !current || own || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  for (const box of root.querySelectorAll("[data-layer]")) {
    box.addEventListener("change", () => toggle(box.dataset.layer));
  }
  picker.addEventListener("change", () => open(Number(picker.value)));
  slider.addEventListener("input", () => current && go(Number(slider.value)));
  part("opacity").addEventListener("input", (event) => {
    strength = event.target.value / 100;
    if (current) draw();
  });
  canvas.addEventListener("pointerdown", () => canvas.focus());
  profile.addEventListener("pointerdown", (event) => {
    if (current) go(Math.floor((event.offsetX / profile.clientWidth) * current.count));
  });
  window.addEventListener("resize", () => current && drawProfile());
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => current && drawProfile());

  /* Links such as #view-3 or #view-3-42 open a case, and a slice of it. */
  function follow() {
    const found = /^#view-(\d+)(?:-(\d+))?$/.exec(location.hash);
    if (!found || Number(found[1]) >= picker.options.length) return false;
    open(Number(found[1]), found[2] === undefined ? undefined : Number(found[2]));
    root.scrollIntoView();
    canvas.focus({ preventScroll: true });
    return true;
  }

  window.addEventListener("hashchange", follow);
  if (!follow()) open(0);
})();
