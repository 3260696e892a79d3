// The table of samples. Texts under test become text nodes, never markup: nothing here parses HTML.
"use strict";
(() => {
  const PAGE_SIZE = 50;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const total = data.id.length;
  const text = (place) => (place < 0 ? "" : data.strings[place]);
  const chat = data.metrics.length > 0;
  // Of a conversation its last question: system turns are the same in most rows.
  const asked = (content) => (chat ? content.split(/(?:^|\n\n)user: /).pop() : content);
  const names = chat ? ["Reference", "Answer", "Question"] : ["Expected", "Answered", "Text"];

  const view = { query: "", state: "", row: "", column: "", sort: "score", descending: false, page: 0 };
  let shown = []; // numbers of the samples that pass the filters, in order
  const open = new Set(); // numbers of the samples that show all of themselves

  // ---- elements ----------------------------------------------------------------------------

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children); // strings become text nodes
    return made;
  }

  // A text that reads from right to left, or says so, must not turn round what stands beside it.
  const isolated = (content) => element("bdi", {}, content);

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `#icon-${name}`);
    svg.append(use);
    return svg;
  }

  // ---- filter and sort ---------------------------------------------------------------------

  // Built at the first search, or before it when the browser has nothing to do.
  let haystack = null;
  function searchable() {
    haystack ??= data.id.map((id, i) =>
      [id, text(data.expected[i]), text(data.predicted[i]), text(data.reason[i]), text(data.error[i]), data.text[i], ...(chat ? data.reasons[i].map(text) : [])]
        .join("\n")
        .toLowerCase(),
    );
    return haystack;
  }
  (window.requestIdleCallback ?? ((call) => setTimeout(call, 500)))(searchable);

  // Places in alphabetical order, so that sorting compares numbers.
  function ranks(strings) {
    const order = strings.map((_, i) => i).sort((a, b) => (strings[a] < strings[b] ? -1 : strings[a] > strings[b] ? 1 : a - b));
    const rank = new Array(strings.length);
    order.forEach((place, i) => (rank[place] = i));
    return rank;
  }
  let ranked = null;
  const keys = {
    id: () => (ranked ??= { ids: ranks(data.id), strings: ranks(data.strings) }).ids,
    // Unscored before every score: they need somebody's attention first.
    score: () => data.score.map((score) => score ?? -1),
    state: () => data.state,
    expected: () => byString(data.expected),
    predicted: () => byString(data.predicted),
  };
  function byString(places) {
    keys.id();
    return places.map((place) => ranked.strings[place]);
  }

  function choose() {
    const words = view.query.toLowerCase().split(/\s+/).filter(Boolean);
    const texts = words.length ? searchable() : null;
    const is = (wanted, column) => (wanted === "" ? null : [Number(wanted), column]);
    const tests = [is(view.state, data.state), is(view.row, data.row), is(view.column, data.column)].filter(Boolean);
    shown = [];
    for (let i = 0; i < total; i++) {
      if (tests.every(([wanted, column]) => column[i] === wanted) && words.every((word) => texts[i].includes(word))) shown.push(i);
    }
    const key = keys[view.sort]();
    const sign = view.descending ? -1 : 1;
    shown.sort((a, b) => sign * (key[a] - key[b]) || a - b);
  }

  // ---- the table ---------------------------------------------------------------------------

  const NUMBER = new Intl.NumberFormat("en");
  const score = (value) => (value === null ? "–" : Number.isInteger(value * 10) ? value.toFixed(1) : value.toFixed(3));
  const stateIcons = { passed: "pass", failed: "fail", unscored: "incomplete" };

  function row(i) {
    const state = data.states[data.state[i]];
    const button = element("button", { type: "button", "aria-expanded": String(open.has(i)) }, data.id[i]);
    if (open.has(i)) button.setAttribute("aria-controls", `detail-${i}`);
    const cells = [
      element("th", { role: "rowheader", scope: "row", class: "cut-off" }, button),
      element("td", { role: "cell" }, element("span", { class: `state state-${state}` }, icon(stateIcons[state]), state)),
      element("td", { role: "cell", class: "score" }, score(data.score[i])),
      element("td", { role: "cell", class: "cut-off", "data-name": names[0] }, isolated(text(data.expected[i]))),
      element("td", { role: "cell", class: "cut-off", "data-name": names[1] }, isolated(text(data.predicted[i]))),
      element("td", { role: "cell", class: "cut-off quiet" }, isolated(asked(data.text[i]).slice(0, 160).replace(/\s+/g, " "))),
    ];
    return element("tr", { role: "row", "data-sample": i }, ...cells);
  }

  function detail(i) {
    const facts = element("dl", {});
    const fact = (name, content) => {
      if (content) facts.append(element("dt", {}, name), element("dd", {}, content));
    };
    const long = (content, name) => content && element("pre", { dir: "auto", tabindex: "0", role: "region", "aria-label": name }, content);
    const confidence = data.confidence[i];
    const excerpt = (name, content) =>
      fact(content.length < data.excerpt ? name : `${name}, its first ${NUMBER.format(data.excerpt)} characters`, long(content, name));
    if (chat) {
      excerpt("Question", data.text[i]);
      excerpt("Answer", text(data.predicted[i]));
      excerpt("Reference", text(data.expected[i]));
      data.metrics.forEach(([name, threshold], k) => {
        const found = data.scores[i][k];
        const state = found === null ? "unscored" : found < threshold ? "failed" : "passed";
        const badge = element("span", { class: `state state-${state}` }, icon(stateIcons[state]), `${score(found)} of ${score(threshold)}`);
        fact(name, element("span", {}, badge, " ", isolated(text(data.reasons[i][k]))));
      });
    } else {
      fact("Expected", isolated(text(data.expected[i])));
      fact("Answered", isolated(text(data.predicted[i])));
      fact("Model's score", confidence === null ? "" : String(confidence));
      fact("Judge's reason", text(data.reason[i]) && isolated(text(data.reason[i])));
    }
    fact("Error", text(data.error[i]) && isolated(text(data.error[i])));
    fact("Judge's raw answer", long(text(data.raw[i]), "Judge's raw answer"));
    if (!chat) excerpt("Text", data.text[i]);
    fact("Link to this", element("a", { href: `#sample-${encodeURIComponent(data.id[i])}` }, isolated(data.id[i])));
    return element("tr", { role: "row", class: "detail", id: `detail-${i}` }, element("td", { role: "cell", colspan: "6" }, facts));
  }

  const pages = () => Math.max(1, Math.ceil(shown.length / PAGE_SIZE));

  function draw() {
    view.page = Math.min(Math.max(view.page, 0), pages() - 1);
    const first = view.page * PAGE_SIZE;
    const page = shown.slice(first, first + PAGE_SIZE);
    byId("rows").replaceChildren(...page.flatMap((i) => (open.has(i) ? [row(i), detail(i)] : [row(i)])));
    const all = shown.length === total ? "" : ` (${NUMBER.format(total)} in all)`;
    byId("count").textContent = shown.length
      ? `Samples ${NUMBER.format(first + 1)} to ${NUMBER.format(first + page.length)} of ${NUMBER.format(shown.length)}${all}`
      : `No sample matches${all}`;
    byId("page").textContent = `Page ${NUMBER.format(view.page + 1)} of ${NUMBER.format(pages())}`;
    for (const button of document.querySelectorAll("[data-page]")) {
      const backwards = button.dataset.page === "first" || button.dataset.page === "previous";
      button.disabled = backwards ? view.page === 0 : view.page >= pages() - 1;
    }
    for (const button of document.querySelectorAll("[data-sort]")) {
      const heading = button.parentElement;
      if (button.dataset.sort !== view.sort) heading.removeAttribute("aria-sort");
      else heading.setAttribute("aria-sort", view.descending ? "descending" : "ascending");
    }
  }

  function update(change) {
    Object.assign(view, { page: 0 }, change);
    choose();
    draw();
  }

  // ---- what the reader does ----------------------------------------------------------------

  const fields = { query: byId("query"), state: byId("state"), row: byId("row"), column: byId("column") };

  function filter(values) {
    for (const [name, field] of Object.entries(fields)) field.value = values[name] ?? "";
    update(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])));
  }

  function toggle(i, button) {
    const line = button.closest("tr");
    if (open.delete(i)) {
      line.nextElementSibling.remove();
      button.removeAttribute("aria-controls");
    } else {
      open.add(i);
      line.after(detail(i));
      button.setAttribute("aria-controls", `detail-${i}`);
    }
    button.setAttribute("aria-expanded", String(open.has(i)));
  }

  // #sample-<id>: clears the filters, turns to the sample's page and opens it.
  function follow() {
    if (!location.hash.startsWith("#sample-")) return;
    let wanted;
    try {
      wanted = decodeURIComponent(location.hash.slice("#sample-".length));
    } catch {
      return; // somebody's broken link
    }
    const i = data.id.indexOf(wanted);
    if (i < 0) return;
    open.add(i);
    filter({});
    view.page = Math.floor(shown.indexOf(i) / PAGE_SIZE);
    draw();
    const button = document.querySelector(`tr[data-sample="${i}"] button`);
    button.closest("tr").scrollIntoView({ block: "center" });
    button.focus({ preventScroll: true });
  }

  function turn(where) {
    view.page = { first: 0, previous: view.page - 1, next: view.page + 1, last: pages() - 1 }[where];
    draw();
    byId("samples").scrollIntoView();
    // A button that was just disabled has lost the focus; somebody who only types must not.
    if (document.activeElement === document.body || document.activeElement.disabled) byId("samples-title").focus({ preventScroll: true });
  }

  function buildFilters() {
    const options = (names, field, used) =>
      names.forEach((name, i) => used.has(i) && field.append(element("option", { value: i }, name)));
    options(data.states, fields.state, new Set(data.state));
    options(data.labels, fields.row, new Set(data.row));
    options(data.labels, fields.column, new Set(data.column));
    byId("query").addEventListener("input", () => update({ query: fields.query.value }));
    for (const name of ["state", "row", "column"]) fields[name].addEventListener("change", () => update({ [name]: fields[name].value }));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("reset", (event) => {
      event.preventDefault();
      filter({});
    });
  }

  // Counts are plain figures until a script is there to answer to them.
  function buildCounts() {
    for (const cell of document.querySelectorAll("td[data-row]")) {
      const { row, column, meaning } = cell.dataset;
      const count = cell.textContent;
      const attributes = { type: "button", class: "to-samples", title: meaning, "aria-label": `${count} ${meaning}: show` };
      cell.replaceChildren(element("button", attributes, count));
      cell.firstChild.addEventListener("click", () => {
        const state = data.states.indexOf(cell.dataset.state);
        filter({ row, column, state: state < 0 ? "" : state });
        byId("samples").scrollIntoView();
        byId("samples-title").focus({ preventScroll: true });
      });
    }
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

  function buildTable() {
    byId("rows").addEventListener("click", (event) => {
      const button = event.target.closest("th button");
      if (button) toggle(Number(button.closest("tr").dataset.sample), button);
    });
    for (const button of document.querySelectorAll("[data-sort]")) {
      const sort = button.dataset.sort;
      button.addEventListener("click", () => update({ sort, descending: view.sort === sort && !view.descending }));
    }
    for (const button of document.querySelectorAll("[data-page]")) button.addEventListener("click", () => turn(button.dataset.page));
  }

  for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;
  buildTheme();
  buildFilters();
  buildCounts();
  buildTable();
  update({});
  follow();
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => document.querySelectorAll("section > details").forEach((part) => (part.open = true)));
})();
