// The rows of a duel: hides what the reader does not want to see. It makes no markup.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const NUMBER = new Intl.NumberFormat("en");
  const rows = [...document.querySelectorAll(".bout")];
  const choices = ["outcome", "how", "category"];
  let texts = null; // built at the first search

  function apply() {
    const words = byId("query").value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) texts ??= rows.map((row) => row.textContent.toLowerCase());
    let shown = 0;
    rows.forEach((row, i) => {
      const wanted = choices.every((name) => byId(name).value === "" || row.dataset[name] === byId(name).value);
      row.hidden = !(wanted && words.every((word) => texts[i].includes(word)));
      shown += row.hidden ? 0 : 1;
    });
    const all = shown === rows.length ? "" : ` of ${NUMBER.format(rows.length)}`;
    byId("count").textContent = shown ? `${NUMBER.format(shown)}${all} row${shown === 1 && !all ? "" : "s"}` : `No row matches${all && ` (${NUMBER.format(rows.length)} in all)`}`;
  }

  // #row-<id>: clears the filters and opens the row.
  function follow() {
    let wanted;
    try {
      wanted = byId(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return; // somebody's broken link
    }
    if (!wanted?.classList.contains("bout")) return;
    byId("filters").reset();
    wanted.open = true;
    wanted.scrollIntoView({ block: "start" });
    wanted.querySelector("summary").focus({ preventScroll: true });
  }

  // The choice is kept nowhere: a report from a file has no right to remember things.
  function buildTheme() {
    const button = byId("theme");
    const prefersDark = matchMedia("(prefers-color-scheme: dark)");
    const dark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? "dark" : "light")) === "dark";
    const name = () => (button.textContent = dark() ? "Light colours" : "Dark colours");
    button.addEventListener("click", () => {
      document.documentElement.dataset.theme = dark() ? "light" : "dark";
      name();
    });
    prefersDark.addEventListener("change", name);
    button.hidden = false;
    name();
  }

  for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;
  buildTheme();
  byId("query").addEventListener("input", apply);
  for (const name of choices) byId(name).addEventListener("change", apply);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(apply));
  follow();
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => rows.forEach((row) => (row.open = !row.hidden)));
})();
