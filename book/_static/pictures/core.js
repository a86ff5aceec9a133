// What all pictures share: their start, controls, canvases and colours. Plain scripts, loaded in order and without a request:
// core.js, space.js, chart.js, then one script for each kind of picture, which calls equinotes.picture(name, build).
"use strict";
window.equinotes = (() => {
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in made && typeof value !== "string") made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  let serial = 0;

  // One picture on a page: its data, its canvases and its controls. Any change of a control draws all canvases again.
  class View {
    constructor(figure) {
      this.figure = figure;
      this.data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
      this.look = this.data.look;
      this.canvases = [];
      this.stage = element("div", { class: "picture-stage" });
      this.panel = element("div", { class: "picture-controls" });
      this.says = element("output", { class: "picture-says" });
      this.says.setAttribute("aria-live", "polite");
      this.body = element("div", { class: "picture-body" }, this.stage, this.says, this.panel);
    }

    // A canvas of the given shape. `paint(g, width, height)` draws it in CSS pixels; it is called again when anything changes.
    canvas(label, { ratio = 1, grow = 1, least = 260, paint }) {
      const node = element("canvas", { "aria-label": label, role: "img" });
      node.style.flex = `${grow} 1 ${least}px`;
      this.stage.append(node);
      this.canvases.push({ node, ratio, paint });
      return node;
    }

    colours() {
      const style = getComputedStyle(this.figure);
      const dark = document.documentElement.dataset.theme === "dark";
      return { text: style.color, dark, line: dark ? "rgba(255,255,255,.28)" : "rgba(0,0,0,.25)" };
    }

    draw() {
      const colours = this.colours();
      for (const { node, ratio, paint } of this.canvases) {
        const scale = window.devicePixelRatio || 1, width = node.clientWidth;
        const height = Math.round(typeof ratio === "function" ? ratio(width) : width / ratio);
        if (!width) continue;
        node.style.height = `${height}px`;
        const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
        if (node.width !== w || node.height !== h) Object.assign(node, { width: w, height: h });
        const g = node.getContext("2d");
        g.setTransform(scale, 0, 0, scale, 0, 0);
        g.clearRect(0, 0, width, height);
        Object.assign(g, { font: `13px ${this.font}`, lineJoin: "round", textBaseline: "middle", fillStyle: colours.text });
        paint(g, width, height, colours);
      }
      this.figure.dataset.drawn = Number(this.figure.dataset.drawn || 0) + 1;
    }

    redraw() {
      this.pending ??= requestAnimationFrame(() => { this.pending = null; this.draw(); });
    }

    changed() {
      this.onchange?.();
      this.redraw();
    }

    labelled(text, control, ...after) {
      control.id = `picture-control-${++serial}`;
      const label = element("label", { for: control.id }, text);
      const field = element("div", { class: "picture-field" }, label, control, ...after);
      this.panel.append(field);
      return field;
    }

    slider(text, { min, max, step = 1, value, show = String }) {
      const control = element("input", { type: "range", min: `${min}`, max: `${max}`, step: `${step}`, value: `${value}` });
      const shown = element("span", { class: "picture-value" }, show(value));
      control.refresh = () => {
        shown.textContent = show(Number(control.value));
        control.setAttribute("aria-valuetext", shown.textContent);
      };
      control.addEventListener("input", () => { control.refresh(); this.changed(); });
      this.labelled(text, control, shown);
      control.refresh();
      return control;
    }

    // Options are [value, text] pairs; the control's value is a string.
    select(text, options, value) {
      const control = element("select");
      control.offer = (pairs, chosen) => {
        const values = pairs.map(([key]) => String(key));
        control.replaceChildren(...pairs.map(([key, name]) => element("option", { value: String(key) }, String(name))));
        control.value = values.includes(String(chosen)) ? String(chosen) : values[0];
        control.disabled = values.length < 2;
      };
      control.offer(options, value);
      control.addEventListener("change", () => this.changed());
      this.labelled(text, control);
      return control;
    }

    button(text, act) {
      const control = element("button", { type: "button" }, text);
      control.addEventListener("click", () => { act(); this.changed(); });
      this.group("").append(control);
      return control;
    }

    // Check boxes in one named group; returns the set of names that are on, kept up to date.
    checks(legend, options, on, fixed = []) {
      const chosen = new Set(on);
      const group = this.group(legend);
      for (const [key, name, colour] of options) {
        const box = element("input", { type: "checkbox", checked: chosen.has(key), disabled: fixed.includes(key) });
        box.addEventListener("change", () => { box.checked ? chosen.add(key) : chosen.delete(key); this.changed(); });
        const label = element("label", { class: "picture-check" }, box, name);
        if (colour) label.style.borderBottomColor = colour;
        group.append(label);
      }
      return chosen;
    }

    group(legend) {
      const last = this.panel.lastElementChild;
      if (!legend && last?.tagName === "DIV" && last.classList.contains("picture-buttons")) return last;
      const group = legend
        ? element("fieldset", { class: "picture-group" }, element("legend", {}, legend))
        : element("div", { class: "picture-buttons" });
      this.panel.append(group);
      return group;
    }

    say(...parts) {
      this.says.replaceChildren(...parts);
    }

    open(build) {
      build(this);
      this.figure.querySelector(".picture-still")?.setAttribute("hidden", "");
      this.figure.prepend(this.body);
      this.font = getComputedStyle(this.figure).fontFamily;
      this.onchange?.();
      this.draw();
      new ResizeObserver(() => this.redraw()).observe(this.stage);
      new MutationObserver(() => this.redraw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    }
  }

  const picture = (name, build) => {
    for (const figure of document.querySelectorAll(`figure[data-picture="${name}"]`)) {
      if (!figure.dataset.drawn) new View(figure).open(build);
    }
  };

  // Numbers packed by the package: base64 of little-endian values of one type.
  const unpack = (text, Type = Float32Array) => new Type(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);

  const minus = text => text.replace("-", "−");
  const fixed = (value, digits) => minus((Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits));

  return { picture, element, unpack, fixed, minus };
})();
