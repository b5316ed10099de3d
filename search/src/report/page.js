"use strict";
(() => {
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  const tip = document.getElementById("tip");
  document.body.classList.add("js");

  // The picked point is marked in every plot and in the table, and its details are shown.
  const pick = (point) => {
    for (const e of all("[data-point]")) {
      const on = e.dataset.point === point;
      e.classList.toggle("picked", on);
      if (e.matches(".spot")) e.setAttribute("aria-pressed", on);
    }
  };

  // Native tooltips are slow and never come by keyboard; ours take over their text.
  for (const spot of all(".spot")) {
    const title = spot.querySelector("title");
    spot.dataset.tip = title.textContent;
    spot.setAttribute("aria-label", title.textContent);
    title.remove();
  }
  const show = (spot) => {
    tip.textContent = spot.dataset.tip;
    tip.hidden = false;
    const at = spot.getBoundingClientRect(), size = tip.getBoundingClientRect();
    const right = document.documentElement.clientWidth - size.width - 8;
    const above = at.top - size.height - 6;
    tip.style.left = Math.max(8, Math.min(at.left, right)) + "px";
    tip.style.top = (above < 8 ? at.bottom + 6 : above) + "px";
  };
  const hide = () => { tip.hidden = true; };
  for (const event of ["pointerover", "focusin"])
    document.addEventListener(event, (e) => { const spot = e.target.closest(".spot"); if (spot) show(spot); else hide(); });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, { passive: true });

  const chosen = (e) => e.target.closest(".spot, #points tbody tr");
  // The address names the picked point, so that it can be sent to someone.
  const choose = (e) => { pick(e.dataset.point); history.replaceState(null, "", "#point-" + e.dataset.point); };
  document.addEventListener("click", (e) => { const c = chosen(e); if (c) choose(c); });
  document.addEventListener("keydown", (e) => {
    const c = chosen(e);
    if (e.key === "Escape") hide();
    if (!c || (e.key !== "Enter" && e.key !== " ")) return;
    e.preventDefault();
    choose(c);
  });

  const buttons = all(".controls button");
  const turn = (axis) => {
    hide();
    for (const b of buttons) b.setAttribute("aria-pressed", b.dataset.axis === axis);
    for (const f of all("figure[data-axis]")) f.hidden = f.dataset.axis !== axis;
  };
  for (const b of buttons) b.addEventListener("click", () => turn(b.dataset.axis));
  turn(buttons[0].dataset.axis);

  for (const box of all(".controls input"))
    box.addEventListener("change", () => {
      for (const e of all(`[data-seed="${box.value}"]:not(.point)`)) e.classList.toggle("off", !box.checked);
    });

  // Numbers sort as numbers, of ranges and counts the first; what is no number ("-", "NO") comes last.
  const body = document.querySelector("#points tbody");
  all("#points th").forEach((th, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = th.textContent;
    th.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = th.getAttribute("aria-sort") === "ascending";
      for (const other of all("#points th")) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (row) => row.cells[column].textContent;
      const number = (row) => parseFloat(text(row).replaceAll(",", ""));
      const order = (a, b) => {
        const [x, y] = [number(a), number(b)];
        if (column > 0 && (isNaN(x) || isNaN(y))) return isNaN(x) - isNaN(y);
        const by = column > 0 ? x - y : text(a).localeCompare(text(b), undefined, { numeric: true });
        return down ? -by : by;
      };
      body.append(...[...body.rows].sort(order));
    });
  });

  // What is there to begin with: the point named behind the #, or the one with the best score.
  const named = document.getElementById(location.hash.slice(1));
  if (named?.matches(".point")) pick(named.dataset.point);
  else if (body.rows.length) {
    const score = (row) => parseFloat(row.querySelector(".score").textContent);
    pick([...body.rows].reduce((best, row) => (score(row) > score(best) ? row : best)).dataset.point);
  }
})();
