// Tables that scroll sideways can be reached and scrolled with keys; those that fit stay out of the way.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const article = document.querySelector(".bd-article");
  if (!article) return;
  const reach = () => {
    for (const table of article.querySelectorAll("table")) {
      if (table.scrollWidth > table.clientWidth + 1) table.tabIndex = 0;
      else table.removeAttribute("tabindex");
    }
  };
  new ResizeObserver(reach).observe(article);
});
