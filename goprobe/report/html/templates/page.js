"use strict";
(() => {
  const $ = (s, r = document) => r.querySelector(s),
    $$ = (s, r = document) => [...r.querySelectorAll(s)];
  for (const e of $$(".js")) e.hidden = false;
  const live = $("#live"),
    still = matchMedia("(prefers-reduced-motion: reduce)");

  // theme: what the system says, unless the reader says otherwise
  const themes = ["auto", "light", "dark"],
    button = $("#theme");
  let theme = "auto";
  try {
    theme = localStorage.getItem("goprobe-theme") || "auto";
  } catch {
    /* no storage for files */
  }
  const paint = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    $("span", button).textContent = theme;
  };
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try {
      localStorage.setItem("goprobe-theme", theme);
    } catch {
      /* as above */
    }
    paint();
  });
  paint();

  // stops as steps
  const stops = $$(".stop"),
    which = $("#which"),
    all = $("#all");
  if (stops.length && which) {
    let now = -1,
      every = false;
    const box = e => e.closest(".build") || e;
    for (const [i, s] of stops.entries()) which.add(new Option(s.dataset.title, i));
    const places = s =>
      new Map($$("[data-key]", s).map(e => [e.dataset.key, e.getBoundingClientRect()]));
    const fly = (old, s) => {
      if (still.matches || !s.animate) return;
      for (const e of $$("[data-key]", s)) {
        const from = old.get(e.dataset.key),
          to = e.getBoundingClientRect();
        if (!from) e.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 500 });
        else if (from.top !== to.top || from.left !== to.left)
          e.animate(
            [
              { transform: `translate(${from.left - to.left}px,${from.top - to.top}px)` },
              { transform: "none" },
            ],
            { duration: 500, easing: "ease-in-out" },
          );
      }
      for (const e of $$(".arrow", s))
        e.animate([{ strokeDasharray: "0 1" }, { strokeDasharray: "1 0" }], {
          duration: 600,
          easing: "ease-out",
        });
      for (const e of $$("tr.new,p.news", s))
        e.animate(
          [{ backgroundColor: "rgb(92 198 205 / .35)" }, { backgroundColor: "transparent" }],
          { duration: 1200 },
        );
    };
    const go = (i, told = true) => {
      i = Math.max(0, Math.min(stops.length - 1, i));
      const old = now >= 0 && !every ? places(stops[now]) : null,
        top = now >= 0 ? scrollY : 0;
      now = i;
      for (const [j, s] of stops.entries()) box(s).hidden = !every && j !== i;
      which.value = i;
      $("[data-step='-1']").disabled = i === 0;
      $("[data-step='1']").disabled = i === stops.length - 1;
      if (every) {
        if (told) stops[i].scrollIntoView();
      } else if (old) {
        scrollTo(0, top);
        fly(old, stops[i]);
      }
      if (told) {
        live.textContent = [
          stops[i].dataset.title,
          ...$$("p.news", stops[i]).map(e => e.textContent),
        ].join(". ");
        history.replaceState(null, "", `#${stops[i].id}`);
      }
    };
    for (const b of $$("[data-step]"))
      b.addEventListener("click", () => go(now + Number(b.dataset.step)));
    which.addEventListener("change", () => go(Number(which.value)));
    all.addEventListener("click", () => {
      every = !every;
      all.setAttribute("aria-pressed", every);
      document.body.classList.toggle("stepping", !every);
      go(now, false);
    });
    addEventListener("keydown", e => {
      const t = e.target;
      if (
        e.altKey ||
        e.ctrlKey ||
        e.metaKey ||
        e.shiftKey ||
        t.matches("input,select,textarea") ||
        t.closest(".code,.wide")
      )
        return;
      if (e.key === "ArrowRight") {
        e.preventDefault();
        go(now + 1);
      }
      if (e.key === "ArrowLeft") {
        e.preventDefault();
        go(now - 1);
      }
    });
    document.body.classList.add("stepping");
    const asked = stops.findIndex(s => `#${s.id}` === location.hash);
    // Without a wish of the reader: where the first variable has a value.
    const telling = stops.findIndex(s => s.querySelector(".item"));
    go(asked >= 0 ? asked : Math.max(telling, 0), false);
    addEventListener("hashchange", () => {
      const i = stops.findIndex(s => `#${s.id}` === location.hash);
      if (i >= 0) go(i);
    });
  }

  // evidence where an address is met
  const pop = $("#pop");
  let met = null;
  const leave = () => {
    if (met) met.removeAttribute("aria-describedby");
    met = null;
    pop.hidden = true;
  };
  const meet = a => {
    if (a === met) return;
    leave();
    const entry = document.getElementById(a.hash.slice(1));
    if (!entry) return;
    pop.replaceChildren(...[...entry.childNodes].map(n => n.cloneNode(true)));
    pop.hidden = false;
    a.setAttribute("aria-describedby", "pop");
    met = a;
    const r = a.getBoundingClientRect(),
      p = pop.getBoundingClientRect();
    pop.style.left = `${Math.max(8, Math.min(r.left, innerWidth - p.width - 12))}px`;
    pop.style.top = `${r.bottom + p.height + 12 < innerHeight ? r.bottom + 6 : Math.max(8, r.top - p.height - 6)}px`;
  };
  for (const kind of ["pointerover", "focusin"])
    document.addEventListener(kind, e => {
      const a = e.target.closest?.('a.addr[href^="#e"]');
      if (a) meet(a);
      else if (met && document.activeElement !== met) leave();
    });
  document.addEventListener("focusout", leave);
  addEventListener("scroll", leave, { passive: true });
  addEventListener("keydown", e => {
    if (e.key === "Escape") {
      leave();
      back();
    }
  });

  // what a link leads to is opened, however deep it is folded
  const reveal = () => {
    const to = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!to) return;
    for (let e = to; e; e = e.parentElement) if (e.matches("details")) e.open = true;
    to.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", reveal);
  if (!stops.length) reveal();

  // search and filter
  const q = $("#q"),
    boxes = $$(".filter input"),
    found = $("#found");
  const target = (q || $(".filter") || { dataset: {} }).dataset.target;
  if (target) {
    const items = $$(target),
      filtered = new Map(items.map(e => [e, (e.closest(".line") || e).textContent.toLowerCase()]));
    const sift = () => {
      const words = (q ? q.value : "").toLowerCase().split(/\s+/).filter(Boolean);
      const kinds = new Set(boxes.filter(b => b.checked).map(b => b.value)),
        free = kinds.size === boxes.length;
      let n = 0;
      for (const [e, text] of filtered) {
        const shown =
          (free || !e.dataset.verdict || kinds.has(e.dataset.verdict)) &&
          words.every(w => text.includes(w));
        if (e.hidden === shown) e.hidden = !shown;
        n += shown;
      }
      const narrowed = words.length || !free;
      if (narrowed) for (const d of $$("details.each")) d.open = true;
      for (const line of $$(".file .line"))
        line.hidden = Boolean(narrowed) && !$(".site:not([hidden])", line);
      if (found) found.textContent = narrowed ? `${n} of ${items.length}` : "";
    };
    let due = 0;
    const soon = () => {
      clearTimeout(due);
      due = setTimeout(sift, 120);
    };
    if (q) {
      q.addEventListener("input", soon);
      addEventListener("keydown", e => {
        if (e.key === "/" && !e.target.matches("input,select,textarea")) {
          e.preventDefault();
          q.focus();
        }
      });
    }
    for (const b of boxes) b.addEventListener("change", soon);
  }

  // into a group of the treemap and back
  const map = $("#treemap");
  function back() {
    const group = map && $(".zoomed", map);
    if (!group) return;
    group.classList.remove("zoomed");
    map.classList.remove("in");
    $(".gname", group).setAttribute("aria-expanded", "false");
  }
  if (map)
    for (const b of $$(".gname", map))
      b.addEventListener("click", () => {
        const group = b.parentElement,
          open = group.classList.contains("zoomed");
        back();
        if (open) return;
        group.classList.add("zoomed");
        map.classList.add("in");
        b.setAttribute("aria-expanded", "true");
        live.textContent = b.textContent;
      });
})();
