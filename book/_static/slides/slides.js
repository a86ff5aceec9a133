// Slides: keys turn them, and light or dark follows the reader's system. Keys that a control or a picture uses stay with it.
"use strict";
{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => { document.documentElement.dataset.theme = dark.matches ? "dark" : "light"; };
  dark.addEventListener("change", follow);
  follow();

  const slides = [...document.querySelectorAll(".slide")];
  const turns = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };
  addEventListener("keydown", event => {
    if (!(event.key in turns) || event.target.closest("input, select, button, canvas, a")) return;
    const here = slides.findLastIndex(slide => slide.getBoundingClientRect().top < innerHeight / 2);
    const next = slides[here + turns[event.key]];
    if (!next) return;
    event.preventDefault();
    next.scrollIntoView();
  });
}
