/* The report's behaviour: pages by address, filters, sorting, the cells of a case, keys. Text only ever becomes text:
   nothing from the run is parsed as markup. Without this script the report is one long page that can be read as it is. */
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const FIRST = root.dataset.first ?? "summary"; // a report of timings alone opens on speed
  root.dataset.page = FIRST;

  const FILTERS = ["q", "status", "implementation", "loss", "trait", "dtype", "aspect", "sort"];
  const PAGE_OF = { ledger: "ledger", loss: "losses", implementation: "implementations", document: "documents" };
  const DTYPE_ORDER = ["float64", "float32", "float16", "bfloat16"];
  const EVERY = "*"; // what is refused as a whole is one cell of every aspect, or of every dtype too
  const EVENT = "oncontentvisibilityautostatechange";
  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50)); // Safari: after the next frames
  const cancelIdle = window.cancelIdleCallback ?? clearTimeout;
  const EPS = { float64: 2 ** -52, float32: 2 ** -23, float16: 2 ** -10, bfloat16: 2 ** -7 };
  const GRADES = {
    A: "A: accurate relative to the loss even where it is tiny",
    B: "B: within what rounding the input makes unavoidable",
    C: "C: accurate only relative to the largest logit",
    F: "F: worse",
  };
  const SETTLED = new Set(["agrees", "unsupported"]);
  const GROUPS_OF_STATUSES = {
    attention: ["anything but agreement", (key) => !SETTLED.has(key)],
    disagrees: ["disagrees, any severity", (key, rank) => rank >= 7],
    infrastructure: ["not run to an end", (key, rank) => rank >= 4 && rank <= 6],
  };

  let data = null; // the unpacked cells
  let loading = null;
  let scripts = null; // the unpacked scripts, once somebody copies one
  let casePages = null; // the unpacked pages of cases, in a report that has them packed
  let view = null; // the matrix's rows and what they show now
  let lastMatrix = "#page=matrix";
  let shownHash = null;
  let following = false; // a link was followed, rather than gone back
  const places = new Map(); // where each address was left, in pixels from the top

  const $ = (id) => document.getElementById(id);

  function make(tag, attributes = {}, ...children) {
    const svg = tag === "svg" || tag === "rect" || tag === "path";
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== ""));
    return node;
  }

  // Addresses ---------------------------------------------------------------------------------------------------------

  function encoded(name) {
    return encodeURIComponent(name)
      .replace(/%(2F|3A|2C)/g, (code) => decodeURIComponent(code))
      .replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
  }

  function decoded(name) {
    try {
      return decodeURIComponent(name);
    } catch {
      return name;
    }
  }

  function readHash() {
    const parts = location.hash
      .slice(1)
      .split("&")
      .filter(Boolean)
      .map((part) => {
        const at = part.indexOf("=");
        return at < 0 ? [part, ""] : [part.slice(0, at), decoded(part.slice(at + 1))];
      });
    const [kind, name] = parts[0] ?? ["page", FIRST];
    const rest = Object.fromEntries(parts.slice(1));
    if (kind === "case") return { page: "cases", case: name };
    if (kind === "cell") return { page: "cases", case: name.slice(0, name.lastIndexOf("[")), cell: name };
    if (PAGE_OF[kind]) return { page: PAGE_OF[kind], anchor: location.hash.slice(1) };
    if (kind === "page" && document.querySelector(`section[data-page="${CSS.escape(name)}"]`)) {
      return { page: name, filters: rest };
    }
    return { page: FIRST, unknown: parts.length > 0 && kind !== "main" ? decoded(location.hash.slice(1)) : "" };
  }

  function matrixHash(filters) {
    const parts = ["page=matrix"];
    for (const name of [...FILTERS, "by"]) if (filters[name]) parts.push(`${name}=${encoded(filters[name])}`);
    return "#" + parts.join("&");
  }

  async function route() {
    if (location.hash === shownHash) return;
    const first = shownHash === null;
    const left = following ? undefined : places.get(location.hash); // coming back: where it was left
    following = false;
    shownHash = location.hash;
    const target = readHash();
    if (target.anchor && !document.getElementById(target.anchor)) target.unknown = decoded(target.anchor);
    tellUnknown(target.unknown);
    root.dataset.page = target.page;
    for (const section of document.querySelectorAll("section[data-page]")) {
      section.classList.toggle("here", section.dataset.page === target.page);
    }
    for (const link of document.querySelectorAll("header.top nav a")) {
      const here = link.getAttribute("href") === "#page=" + (target.page === "cases" ? "matrix" : target.page);
      if (!here) {
        link.removeAttribute("aria-current");
        continue;
      }
      link.setAttribute("aria-current", "page");
      const strip = link.parentNode; // on a phone the pages are a strip wider than the screen
      strip.scrollLeft = link.offsetLeft - strip.offsetLeft - (strip.clientWidth - link.offsetWidth) / 2;
    }
    if (target.page === "matrix") {
      lastMatrix = location.hash || lastMatrix;
      fillForm(target.filters);
      if (hasFilters(target.filters) || view) {
        await load();
        applyFilters(target.filters);
      }
      window.scrollTo(0, 0);
    } else if (target.page === "cases") {
      await showCase(target);
    } else if (target.page === "implementations") {
      for (const article of document.querySelectorAll("article.own")) article.classList.toggle("here", article.id === target.anchor);
      document.querySelector("section.here").classList.toggle("one", Boolean(target.anchor && !target.unknown));
      window.scrollTo(0, left ?? 0);
    } else if (target.anchor && left === undefined) {
      document.getElementById(target.anchor)?.scrollIntoView();
    } else if (!first || location.hash) {
      window.scrollTo(0, left ?? 0);
    }
    if (!first && target.page !== "cases") $("main").focus({ preventScroll: true });
    if (target.page !== "cases") document.title = titleOf(target.page);
  }

  /* A link into another report, or one that was cut off, leads to what there is, and says so. */
  function tellUnknown(name) {
    const box = $("unknown");
    box.hidden = !name;
    box.textContent = name ? `This report has no “${name}”. What it has follows.` : "";
  }

  const baseTitle = () => (root.dataset.title ??= document.title);
  const titleOf = (page) => (page === FIRST ? baseTitle() : `${page[0].toUpperCase()}${page.slice(1)} · ${baseTitle()}`);

  // Cells -------------------------------------------------------------------------------------------------------------

  function load() {
    loading ??= unpack().then((content) => {
      data = content;
      buildView();
      fillOptions();
    });
    return loading;
  }

  function inflated(id) {
    const text = atob($(id).textContent.trim());
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  async function unpack() {
    const content = await inflated("cells");
    const n = content.column.length;
    const caseOf = new Uint32Array(n);
    let sum = 0;
    for (let i = 0; i < n; i++) caseOf[i] = sum += content.case[i];
    content.case = caseOf;
    for (const name of ["column", "dtype", "aspect", "status", "happened"]) content[name] = Uint16Array.from(content[name]);
    const excess = new Float64Array(n);
    const agrees = content.statuses.findIndex((f) => f[0] === "agrees");
    for (let i = 0, j = 0; i < n; i++) if (content.status[i] !== agrees) excess[i] = content.excess[j++];
    content.excess = excess;
    content.rank = Uint8Array.from(content.statuses, (f) => f[3]);
    content.first = new Uint32Array(content.cases.length + 1);
    for (let i = 0; i < n; i++) content.first[caseOf[i] + 1] = i + 1;
    for (let c = 1; c <= content.cases.length; c++) content.first[c] = Math.max(content.first[c], content.first[c - 1]);
    content.caseText = content.cases.map((c) => [c[0], c[1], c[3], ...c[4]].join("\n").toLowerCase());
    content.stringText = content.strings.map((s) => s.toLowerCase());
    content.refused = content.statuses.findIndex((f) => f[0] === "unsupported");
    content.number = n;
    return content;
  }

  function cellName(i) {
    const [implementation, mode] = data.columns[data.column[i]];
    const place = [implementation, mode, data.dtypes[data.dtype[i]], data.aspects[data.aspect[i]]].join(":");
    return `${data.cases[data.case[i]][0]}[${place}]`;
  }

  // Matrix ------------------------------------------------------------------------------------------------------------

  function buildView() {
    const width = data.columns.length;
    const rows = new Array(data.cases.length);
    const chunks = [];
    const groups = [...document.querySelectorAll("#matrix > details.group")].map((box, order) => {
      const group = { box, order, opened: box.open, rows: [], settled: box.querySelector("details.settled"), chunks: [] };
      for (const element of box.querySelectorAll(".chunk")) {
        const body = element.querySelector("tbody");
        const chunk = { element, body, rows: [], settled: element.closest("details") !== box, skipped: EVENT in document };
        for (const tr of body.rows) {
          const row = { tr, c: Number(tr.dataset.c), tds: [...tr.children].slice(1), settled: chunk.settled, order: group.rows.length };
          rows[row.c] = row;
          group.rows.push(row);
          chunk.rows.push(row);
        }
        element.addEventListener("contentvisibilityautostatechange", (event) => {
          chunk.skipped = event.skipped;
          if (!event.skipped) draw(chunk);
        });
        group.chunks.push(chunk);
        chunks.push(chunk);
      }
      return group;
    });
    view = { rows, groups, chunks, width, best: null };
    view.all = gather(null); // kept: clearing a filter need not count again
    view.best = view.all;
    const { best, count, refused } = view.best;
    view.looks = Array.from(best, (i, at) => lookOf(i, count[at], refused[at]));
    document.querySelectorAll("#matrix .mode").forEach((head, k) => {
      const [implementation, mode] = data.columns[k];
      const label = `Sort by ${implementation} ${mode}`;
      const button = make("button", { type: "button", "aria-pressed": "false", "aria-label": label, title: label }, head.textContent);
      head.replaceChildren(button);
      button.addEventListener("click", () => sortBy(k));
    });
  }

  function sortBy(column) {
    const filters = formFilters();
    const now = readHash().filters?.by;
    filters.by = String(column) === now ? "" : String(column);
    go(filters, true);
  }

  /* The gravest matching cell of every place, how many match, how many of them are not offered. */
  function gather(tests) {
    const size = data.cases.length * view.width;
    const best = new Int32Array(size).fill(-1);
    const count = new Uint16Array(size);
    const refused = new Uint16Array(size);
    let matching = 0;
    for (let i = 0; i < data.number; i++) {
      if (tests !== null && !passes(tests, i)) continue;
      matching++;
      const at = data.case[i] * view.width + data.column[i];
      count[at]++;
      if (data.status[i] === data.refused) refused[at]++;
      const other = best[at];
      if (other < 0) best[at] = i;
      else {
        const difference = data.rank[data.status[i]] - data.rank[data.status[other]];
        if (difference > 0 || (difference === 0 && data.excess[i] >= data.excess[other])) best[at] = i;
      }
    }
    return { best, count, refused, matching };
  }

  function passes(tests, i) {
    return (
      tests.status[data.status[i]] &&
      tests.column[data.column[i]] &&
      tests.dtype[data.dtype[i]] &&
      tests.aspect[data.aspect[i]] &&
      tests.case[data.case[i]] &&
      tests.happened[data.happened[i]] &&
      tests.flags.every((mask) => mask[i]) &&
      (tests.found === null ||
        tests.found[data.case[i]] ||
        tests.said[data.note[i]] ||
        tests.said[data.message[i]] ||
        tests.said[data.convention[i]] ||
        tests.said[data.ledger[i]])
    );
  }

  /* What the search says: fields such as is:wrong, the name of an implementation, `only-here`, `differs`, and words. */
  function asked(text) {
    const query = { words: [], implementation: [], is: [], was: [], loss: [], mode: [], dtype: [], aspect: [], tag: [], option: [], flags: [] };
    for (const token of text.trim().toLowerCase().split(/\s+/).filter(Boolean)) {
      const at = token.indexOf(":");
      const field = at > 0 ? token.slice(0, at) : "";
      if (["is", "was", "loss", "mode", "dtype", "aspect", "tag", "option"].includes(field)) query[field].push(token.slice(at + 1));
      else if (FLAGS.includes(token)) query.flags.push(token);
      else if (data.columns.some(([name]) => name.toLowerCase() === token)) query.implementation.push(token);
      else query.words.push(token);
    }
    return query;
  }

  const FLAGS = ["only-here", "differs"];

  const any = (wanted, has) => !wanted.length || wanted.some(has);

  function isStatus(wanted, [key, , word, rank]) {
    const group = GROUPS_OF_STATUSES[wanted]?.[1];
    if (group) return group(key, rank);
    if (wanted === "wrong") return rank >= 7; // any severity, as a reader means it
    return key.startsWith(wanted) || word.replaceAll(" ", "-").startsWith(wanted);
  }

  function testsOf(filters) {
    const mask = (list, keep) => Uint8Array.from(list, (item, i) => (keep(item, i) ? 1 : 0));
    const group = GROUPS_OF_STATUSES[filters.status]?.[1];
    const query = asked(filters.q ?? "");
    const words = query.words;
    const starts = (text) => (wanted) => text.toLowerCase().startsWith(wanted);
    const within = (text) => words.every((word) => text.includes(word));
    return {
      status: mask(
        data.statuses,
        (status) =>
          (!filters.status || (group ? group(status[0], status[3]) : status[0] === filters.status)) &&
          any(query.is, (wanted) => isStatus(wanted, status)),
      ),
      column: mask(
        data.columns,
        ([implementation, mode]) =>
          (!filters.implementation || implementation === filters.implementation) &&
          any(query.implementation, (wanted) => implementation.toLowerCase() === wanted) &&
          any(query.mode, starts(mode)),
      ),
      dtype: mask(
        data.dtypes,
        (dtype) => (!filters.dtype || dtype === filters.dtype || dtype === EVERY) && any(query.dtype, (w) => dtype === w || dtype === EVERY),
      ),
      aspect: mask(
        data.aspects,
        (aspect) => (!filters.aspect || aspect === filters.aspect || aspect === EVERY) && any(query.aspect, (w) => aspect.startsWith(w) || aspect === EVERY),
      ),
      happened: mask(data.happenings, (word) => any(query.was, starts(word))),
      case: mask(
        data.cases,
        ([, , , loss, traits]) =>
          (!filters.loss || loss === filters.loss) &&
          (!filters.trait || traits.includes(filters.trait)) &&
          any(query.loss, starts(loss)) &&
          query.tag.every((tag) => traits.includes(`tag ${tag}`)) &&
          query.option.every((option) => traits.some((trait) => trait.startsWith(`option ${option}`))),
      ),
      flags: query.flags.map((flag) => (flag === "differs" ? differing() : alone())),
      found: words.length ? mask(data.caseText, within) : null,
      said: words.length ? mask(data.stringText, within) : null,
    };
  }

  const RIGHT = new Set(["agrees", "by_convention"]);
  const ABSENT = new Set(["unsupported", "missing", "crashed", "timed_out"]);

  /* Cells that are not right where everybody else who answers is, two at least. */
  function alone() {
    data.alone ??= marked((i) => (data.case[i] * data.dtypes.length + data.dtype[i]) * data.aspects.length + data.aspect[i], (cells) => {
      const judged = cells.filter((i) => !ABSENT.has(data.statuses[data.status[i]][0]));
      const name = (i) => data.columns[data.column[i]][0];
      const wrong = judged.filter((i) => !RIGHT.has(data.statuses[data.status[i]][0]));
      const failing = new Set(wrong.map(name));
      return failing.size === 1 && new Set(judged.map(name)).size > 2 ? wrong : [];
    });
    return data.alone;
  }

  /* Cells that another mode of the same implementation answers otherwise. */
  function differing() {
    const names = [...new Set(data.columns.map(([name]) => name))];
    const nameOf = data.columns.map(([name]) => names.indexOf(name));
    data.differs ??= marked(
      (i) => ((data.case[i] * names.length + nameOf[data.column[i]]) * data.dtypes.length + data.dtype[i]) * data.aspects.length + data.aspect[i],
      (cells) => {
        const judged = cells.filter((i) => data.status[i] !== data.refused);
        return new Set(judged.map((i) => data.status[i])).size > 1 ? judged : [];
      },
    );
    return data.differs;
  }

  function marked(keyOf, chosen) {
    const groups = new Map();
    for (let i = 0; i < data.number; i++) {
      const key = keyOf(i);
      const group = groups.get(key);
      if (group) group.push(i);
      else groups.set(key, [i]);
    }
    const mask = new Uint8Array(data.number);
    for (const cells of groups.values()) for (const i of chosen(cells)) mask[i] = 1;
    return mask;
  }

  const hasFilters = (filters) => [...FILTERS, "by"].some((name) => filters?.[name]);
  const narrows = (filters) => FILTERS.some((name) => name !== "sort" && filters[name]);

  function applyFilters(filters) {
    const asked = matrixHash(filters);
    if (asked === view.asked) return; // coming back from a case changes nothing, the place in the matrix included
    view.asked = asked;
    $("matrix").scrollTop = 0; // before anything changes: setting it later would lay out everything at once
    const narrowed = narrows(filters);
    const next = narrowed ? gather(testsOf(filters)) : view.all;
    let visible = 0;
    view.best = next;
    for (const row of view.rows) {
      if (!row) continue;
      let any = !narrowed;
      for (let at = row.c * view.width; !any && at < (row.c + 1) * view.width; at++) any = next.best[at] >= 0;
      row.shown = any;
      if (any) visible++;
    }
    order(filters, next);
    for (const chunk of view.chunks) {
      chunk.dirty = true;
      let shown = 0;
      for (const row of chunk.rows) if (row.shown) shown++;
      if (chunk.element.hidden !== !shown) chunk.element.hidden = !shown;
      // Set itself, not through a variable: a variable is inherited, so every place of the chunk would be styled anew.
      if (chunk.shown !== shown) chunk.element.style.containIntrinsicHeight = `calc(${shown} * var(--row))`;
      chunk.shown = shown;
    }
    for (const group of view.groups) {
      group.box.hidden = group.chunks.every((chunk) => chunk.element.hidden);
      if (group.settled) group.settled.hidden = group.chunks.every((chunk) => !chunk.settled || chunk.element.hidden);
      if (narrowed !== view.narrowed) {
        group.box.open = narrowed ? true : group.opened;
        if (group.settled) group.settled.open = narrowed;
      }
    }
    view.narrowed = narrowed;
    tally(narrowed, next);
    layOutFirstScreen();
    drawRest();
    showColumns(filters.implementation);
    const cells = next.matching.toLocaleString("en");
    const text = narrowed
      ? `${cells} of ${data.number.toLocaleString("en")} cells in ${visible.toLocaleString("en")} case${visible === 1 ? "" : "s"}`
      : `${cells} cells in ${visible.toLocaleString("en")} case${visible === 1 ? "" : "s"}`;
    $("found").textContent = visible ? text : "Nothing matches. Clear a filter to see more.";
  }

  /* What the heading of each group counts: the places that match. */
  function tally(narrowed, { best }) {
    for (const group of view.groups) {
      const box = group.box.querySelector(".tallies");
      group.told ??= [...box.childNodes];
      if (!narrowed) {
        if (group.counted) box.replaceChildren(...group.told);
        group.counted = false;
        continue;
      }
      if (group.box.hidden) continue;
      const counts = new Uint32Array(data.statuses.length);
      for (const row of group.rows) {
        if (!row.shown) continue;
        for (let k = 0, at = row.c * view.width; k < view.width; k++, at++) if (best[at] >= 0) counts[data.status[best[at]]]++;
      }
      const marks = data.statuses.flatMap(([key, glyph, word], k) =>
        counts[k] ? [make("span", { class: `mark ${key}` }, make("span", { "aria-hidden": "true" }, glyph), ` ${counts[k].toLocaleString("en")} ${word}`), " "] : [],
      );
      box.replaceChildren(...marks);
      group.counted = true;
    }
  }

  /* A browser lays out what was in view before it asks what is now: after a filter is cleared that is most of the
     matrix. So the matrix begins at its top again, what cannot be on the first screen is skipped until the next frame,
     and what can is drawn at once. */
  function layOutFirstScreen() {
    const screen = window.innerHeight;
    const row = 40; // pixels: a little less than --row, so that too much is drawn rather than too little
    let height = 0;
    const later = [];
    for (const group of groupsInOrder()) {
      if (group.box.hidden) continue;
      height += row;
      for (const chunk of group.chunks) {
        if (chunk.element.hidden || !group.box.open || (chunk.settled && group.settled && !group.settled.open)) continue;
        if (height < screen) draw(chunk);
        else if (!chunk.skipped) {
          chunk.element.style.contentVisibility = "hidden";
          later.push(chunk);
        }
        height += chunk.shown * row;
      }
    }
    for (const chunk of later) chunk.skipped = true; // an event says when it comes into view
    requestAnimationFrame(() =>
      setTimeout(() => {
        for (const chunk of later) chunk.element.style.contentVisibility = "";
      }),
    );
  }

  const groupsInOrder = () => view.shownOrder ?? view.groups;

  /* Rows in their order, those that match, and what they show. A row that moved here is gone from where it was, which
     is not in view or drawn too. */
  function draw(chunk) {
    if (!chunk.dirty) return;
    chunk.dirty = false;
    const { best, count, refused } = view.best;
    const there = chunk.body.children;
    if (there.length !== chunk.rows.length || chunk.rows.some((row, k) => there[k] !== row.tr)) {
      chunk.body.replaceChildren(...chunk.rows.map((row) => row.tr));
    }
    for (const row of chunk.rows) {
      if (row.tr.hidden === row.shown) row.tr.hidden = !row.shown;
      if (!row.shown) continue;
      for (let k = 0, at = row.c * view.width; k < view.width; k++, at++) {
        const look = lookOf(best[at], count[at], refused[at]);
        if (look === view.looks[at]) continue;
        view.looks[at] = look;
        drawPlace(row.tds[k], best[at], count[at], refused[at]);
      }
    }
  }

  /* What is out of view is drawn when the browser has time, so that it can be searched and printed. */
  function drawRest() {
    cancelIdle(view.idle);
    const next = view.chunks.find((chunk) => chunk.dirty);
    if (!next) return;
    view.idle = whenIdle(() => {
      draw(next);
      drawRest();
    });
  }

  /* A number for everything a place shows: most filters change which cells match but not what there is to see. */
  function lookOf(i, count, refused) {
    if (i < 0) return -1;
    const partly = refused > 0 && refused < count ? count * 1000 + refused : 0;
    return (partly * 16 + data.status[i]) * 64 + data.happened[i];
  }

  function drawPlace(td, i, count, refused) {
    if (i < 0) {
      td.className = "";
      td.replaceChildren();
      return;
    }
    const [key, glyph, word] = data.statuses[data.status[i]];
    const partly = refused > 0 && refused < count ? ` ${count - refused}/${count}` : "";
    if (td.childNodes.length < 2) td.replaceChildren(document.createElement("b"), document.createElement("i"));
    td.className = key;
    if (data.status[i] === data.refused) td.firstChild.replaceChildren(glyph);
    else td.firstChild.textContent = `${glyph} ${word}`;
    td.lastChild.textContent = data.happenings[data.happened[i]] + partly;
  }

  function order(filters, next) {
    const key = `${filters.sort ?? ""}|${filters.by ?? ""}`;
    const byColumn = filters.by ? Number(filters.by) : -1;
    const narrowed = narrows(filters);
    if (key === (view.order ?? "|") && key === "|" && !narrowed && !view.narrowed) return;
    view.order = key;
    const weight = (row) => {
      let rank = -1;
      let excess = -1;
      for (let k = byColumn < 0 ? 0 : byColumn; k < (byColumn < 0 ? view.width : byColumn + 1); k++) {
        const i = next.best[row.c * view.width + k];
        if (i < 0) continue;
        rank = Math.max(rank, data.rank[data.status[i]]);
        excess = Math.max(excess, data.excess[i]);
      }
      return filters.sort === "error" ? excess : rank;
    };
    const weigh = byColumn >= 0 || filters.sort === "error" || (narrowed && filters.sort !== "name");
    const compare = weigh
      ? (a, b) => b.weight - a.weight || a.order - b.order
      : filters.sort === "name"
        ? (a, b) => (data.cases[a.c][0] < data.cases[b.c][0] ? -1 : 1)
        : (a, b) => a.order - b.order;
    for (const group of view.groups) {
      for (const row of group.rows) row.weight = weigh ? weight(row) : 0;
      group.weight = Math.max(...group.rows.map((row) => row.weight));
      const sorted = [...group.rows].sort((a, b) => a.settled - b.settled || compare(a, b));
      for (const chunk of group.chunks) chunk.rows = sorted.splice(0, chunk.rows.length); // drawn later
    }
    const groups = [...view.groups].sort((a, b) => (weigh ? b.weight - a.weight : 0) || a.order - b.order);
    view.shownOrder = groups;
    // Where a group lies is told by the style: an element that is moved is laid out anew, with all that is in it.
    groups.forEach((group, k) => {
      if (group.box.style.order !== String(k)) group.box.style.order = k;
    });
    document.querySelectorAll("#matrix .mode button").forEach((button, k) => {
      const pressed = String(k === byColumn);
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
    });
  }

  let columnSheet = null;
  let columnsOf = "";

  /* With one implementation chosen, the columns of the others are put away. */
  function showColumns(implementation = "") {
    if (implementation === columnsOf) return; // a changed sheet costs a look at every element
    columnsOf = implementation;
    const names = [...new Set(data.columns.map(([name]) => name))]; // in the order of the heads
    const rules = [];
    if (implementation && names.includes(implementation)) {
      names.forEach((name, i) => {
        if (name !== implementation) rules.push(`#matrix .heads > :nth-child(${i + 2})`);
      });
      data.columns.forEach(([name], i) => {
        if (name === implementation) return;
        rules.push(`#matrix .grid tr > :nth-child(${i + 2})`);
      });
    }
    columnSheet ??= new CSSStyleSheet();
    const left = data.columns.filter(([name]) => name === implementation).length;
    columnSheet.replaceSync(rules.length ? `${rules.join(",")}{display:none} #matrix{--columns:${left}}` : "");
    document.adoptedStyleSheets = [columnSheet];
  }

  // Form --------------------------------------------------------------------------------------------------------------

  function formFilters() {
    const form = $("filters");
    return Object.fromEntries(FILTERS.map((name) => [name, form.elements[name].value]));
  }

  function fillForm(filters) {
    const form = $("filters");
    for (const name of FILTERS) {
      const field = form.elements[name];
      const value = filters?.[name] ?? "";
      if (field.value === value) continue;
      if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) {
        field.append(make("option", { value }, value));
      }
      field.value = value;
    }
  }

  function fillOptions() {
    const form = $("filters");
    const fill = (name, entries) => {
      const field = form.elements[name];
      const chosen = field.value;
      field.replaceChildren(field.options[0], ...entries.map(([value, text]) => make("option", { value }, text)));
      if (chosen && !entries.some(([value]) => value === chosen)) field.append(make("option", { value: chosen }, chosen));
      field.value = chosen;
    };
    const same = (list) => [...new Set(list)].filter((item) => item && item !== EVERY).map((item) => [item, item]);
    const present = new Set(data.status);
    fill("status", [
      ...Object.entries(GROUPS_OF_STATUSES).map(([value, [text]]) => [value, text]),
      ...data.statuses.filter((_, i) => present.has(i)).map(([key, glyph, word]) => [key, `${glyph} ${word}`]),
    ]);
    fill("implementation", same(data.columns.map(([implementation]) => implementation)));
    fill("loss", same(data.cases.map((c) => c[3]).sort()));
    fill("trait", same(data.cases.flatMap((c) => c[4]).sort()));
    fill("dtype", same(data.dtypes).sort((a, b) => DTYPE_ORDER.indexOf(a[0]) - DTYPE_ORDER.indexOf(b[0])));
    fill("aspect", same(data.aspects));
  }

  function go(filters, push) {
    const hash = matrixHash(filters);
    shownHash = lastMatrix = hash;
    if (push) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
    load().then(() => applyFilters(filters));
  }

  function withSort(filters) {
    return { ...filters, by: readHash().filters?.by ?? "" };
  }

  // Case --------------------------------------------------------------------------------------------------------------

  /* A report of many cells has the pages of cases packed; one becomes part of the document when it is looked at. */
  async function articleOf(name) {
    const id = "case=" + encoded(name);
    if (!$(id) && $("casepages")) {
      casePages ??= inflated("casepages");
      const html = (await casePages)[name];
      if (html && !$(id)) $("page=cases").append(new DOMParser().parseFromString(html, "text/html").querySelector("article"));
    }
    return $(id);
  }

  async function showCase(target) {
    const asked = shownHash;
    const article = await articleOf(target.case);
    if (shownHash !== asked) return; // left meanwhile
    for (const other of document.querySelectorAll("article.casepage.here")) other.classList.remove("here");
    if (!article) {
      tellUnknown(target.case);
      document.querySelector("header.top nav a[aria-current]")?.removeAttribute("aria-current");
      root.dataset.page = FIRST;
      document.querySelector(`section[data-page="${FIRST}"]`).classList.add("here");
      return;
    }
    article.classList.add("here");
    document.title = `${article.querySelector("h1").textContent} · ${baseTitle()}`;
    window.scrollTo(0, 0);
    await load();
    if (!article.classList.contains("rendered")) renderCase(article, Number(article.dataset.c));
    for (const old of article.querySelectorAll(".aim")) old.classList.remove("aim");
    const aim = target.cell ? [...article.querySelectorAll("td[data-name]")].find((td) => td.dataset.name === target.cell) : null;
    if (aim) {
      aim.classList.add("aim");
      aim.scrollIntoView({ block: "center" });
      aim.focus({ preventScroll: true });
    } else {
      if (target.cell) tellUnknown(target.cell);
      $("main").focus({ preventScroll: true });
    }
  }

  function renderCase(article, c) {
    const formula = [...document.querySelectorAll(".formulas")].find((f) => f.dataset.loss === data.cases[c][3]);
    if (formula) article.querySelector(".formula-here").append(formula.cloneNode(true));
    const terms = [...document.querySelectorAll("section .terms")].find((t) => t.dataset.budget === data.cases[c][3]);
    if (terms) {
      article.querySelector(".formula-here").append(make("details", {}, make("summary", {}, "What the error budget is made of"), terms.cloneNode(true)));
    }
    article.prepend(caseNavigation(c));
    const from = data.first[c];
    const to = data.first[c + 1];
    const cells = Array.from({ length: to - from }, (_, k) => from + k);
    const box = make("div", { class: "answers" });
    const present = [...new Set(cells.map((i) => data.dtypes[data.dtype[i]]))];
    present.sort((a, b) => place(a) - place(b));
    for (const dtype of present) {
      box.append(answersOf(dtype, cells.filter((i) => data.dtypes[data.dtype[i]] === dtype), c));
    }
    article.querySelector(".static").before(box);
    article.classList.add("rendered");
  }

  /* A dotted name, which a narrow column breaks behind a dot or an underscore and nowhere else. */
  const breakable = (name) => name.split(/(?<=[._])/).flatMap((part, i) => (i ? [make("wbr"), part] : [part]));

  const place = (dtype) => (DTYPE_ORDER.includes(dtype) ? DTYPE_ORDER.indexOf(dtype) : DTYPE_ORDER.length);

  function caseNavigation(c) {
    const order = view.groups.flatMap((g) => g.rows.map((row) => row.c));
    const at = order.indexOf(c);
    const link = (other, text, key) =>
      other === undefined ? null : make("a", { href: "#case=" + encoded(data.cases[other][0]), "data-key": key }, text);
    const back = make("a", { href: lastMatrix, "data-key": "Escape" }, "← Matrix");
    back.addEventListener("click", () => back.setAttribute("href", lastMatrix));
    return make(
      "nav",
      { class: "walk", "aria-label": "Cases" },
      back,
      link(order[at - 1], "Previous case", "k"),
      link(order[at + 1], "Next case", "j"),
    );
  }

  function answersOf(dtype, cells, c) {
    const aspectOf = (i) => data.aspects[data.aspect[i]];
    const aspects = [...new Set(cells.map(aspectOf))].filter((aspect) => aspect !== EVERY).sort(
      (a, b) => (b === "value") - (a === "value") || (a < b ? -1 : 1),
    );
    const rows = new Map();
    for (const i of cells) {
      if (!rows.has(data.column[i])) rows.set(data.column[i], []);
      rows.get(data.column[i]).push(i);
    }
    const ranked = [...rows].sort((a, b) => gravest(b[1]) - gravest(a[1]) || a[0] - b[0]);
    const truths = Object.fromEntries(aspects.map((aspect) => [aspect, commonTruth(cells, aspect)]));
    const head = make(
      "tr",
      {},
      make("th", { scope: "col" }, "implementation"),
      ...(aspects.length ? aspects : ["reason"]).map((aspect) =>
        make(
          "th",
          { scope: "col" },
          aspect,
          truths[aspect] ? make("span", { class: "truth" }, make("span", { class: "label" }, "true "), ...whole(truths[aspect])) : null,
        ),
      ),
    );
    const body = make("tbody");
    for (const [column, members] of ranked) {
      const [implementation, mode] = data.columns[column];
      const called = [...new Set(members.map((m) => data.strings[data.function[m]]).filter(Boolean))];
      const tr = make(
        "tr",
        {},
        make("th", { scope: "row" }, implementation, make("i", {}, mode), ...called.map((f) => make("i", { class: "mono" }, ...breakable(f)))),
      );
      const refused = members.find((m) => aspectOf(m) === EVERY);
      if (refused !== undefined) {
        const td = answer(refused, "");
        td.colSpan = Math.max(aspects.length, 1);
        tr.append(td);
      } else {
        for (const aspect of aspects) {
          const i = members.find((m) => aspectOf(m) === aspect);
          tr.append(i === undefined ? make("td") : answer(i, truths[aspect]));
        }
      }
      body.append(tr);
    }
    const title = dtype === EVERY ? "Refused in every dtype" : dtype;
    const name = dtype === EVERY ? title : `Answers in ${dtype}`;
    const table = make("table", { class: "answer-table" }, make("thead", {}, head), body);
    return make(
      "div",
      {},
      make("h2", {}, title, " ", make("span", { class: "quiet" }, standing(cells))),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, table),
    );
  }

  const gravest = (cells) => Math.max(...cells.map((i) => data.rank[data.status[i]]));

  function standing(cells) {
    const counts = new Map();
    for (const i of cells) counts.set(data.status[i], (counts.get(data.status[i]) ?? 0) + 1);
    return [...counts]
      .sort((a, b) => a[0] - b[0])
      .map(([status, n]) => `${n} ${data.statuses[status][2]}`)
      .join(", ");
  }

  /* The truth most cells were judged against; one that differs is told at its cell. */
  function commonTruth(cells, aspect) {
    const counts = new Map();
    for (const i of cells) {
      const truth = data.strings[data.truth[i]];
      if (data.aspects[data.aspect[i]] === aspect && truth) counts.set(truth, (counts.get(truth) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
  }

  function answer(i, truth) {
    const [key, glyph, word] = data.statuses[data.status[i]];
    const string = (name) => data.strings[data[name][i]];
    const aspect = data.aspects[data.aspect[i]];
    const td = make("td", { class: key, "data-name": cellName(i), "data-label": aspect === EVERY ? "every aspect" : aspect, tabindex: "-1" });
    const happened = data.happenings[data.happened[i]];
    td.append(
      make(
        "div",
        { class: "judged" },
        make("span", { class: "mark " + key }, make("span", { class: "glyph", "aria-hidden": "true" }, glyph), " " + word),
        happened === "" || happened === word || happened === "value" ? null : make("span", { class: "quiet" }, happened),
        copyButton(i),
      ),
    );
    const off = !SETTLED.has(key) && !(Number(data.ulps[i]) === 0 && Number(data.ratio[i]) === 0);
    if (string("got")) td.append(numbers(string("got"), off ? data.worst[i] : null));
    if (data.ulps[i] !== null || data.ratio[i] !== null) td.append(errorLine(i, key));
    const notes = [
      ["", key === "agrees" ? "" : string("note")],
      ["under ", string("note") ? "" : string("convention")],
      ["said ", string("message")],
    ];
    const own = string("truth");
    if (own && own !== truth && key !== "agrees" && !own.startsWith("array")) notes.push(["true ", own]);
    for (const [label, text] of notes) if (text) td.append(make("p", { class: "note" }, label, ...whole(text)));
    if (string("ledger")) {
      td.append(make("p", { class: "note" }, "ledger ", make("a", { href: "#ledger=" + encoded(string("ledger")) }, string("ledger"))));
    }
    return td;
  }

  /* A text in which no number with an exponent is broken behind its "e-". */
  function whole(text) {
    return text.split(/(-?\d[\d.]*e[-+]?\d+)/).map((piece, k) => (k % 2 ? make("span", { class: "number" }, piece) : piece));
  }

  /* What came back; of several numbers the one that needs most of its budget is marked. */
  function numbers(got, worst) {
    const box = make("div", { class: "digits" });
    const pieces = got.split(/([^\s,[\]]+)/);
    pieces.forEach((piece, k) => {
      if (got.startsWith("[") && k % 2 === 1 && (k - 1) / 2 === worst) box.append(make("mark", { class: "number" }, piece, make("span", { class: "unseen" }, " (worst)")));
      else box.append(...whole(piece));
    });
    return box;
  }

  function errorLine(i, key) {
    const ratio = data.ratio[i] === null ? NaN : Number(data.ratio[i]);
    const budget = data.budget[i] || 1;
    const used = ratio / budget;
    const width = 96;
    const limit = 72; // where the budget ends; a quarter of the bar is left to show what exceeds it
    const svg = make(
      "svg",
      { class: "budget", viewBox: `0 0 ${width} 8`, width, height: 8, "aria-hidden": "true" },
      make("rect", { class: "track", x: 0, y: 2, width: limit, height: 4 }),
      make("rect", { class: key, x: 0, y: 2, width: Number.isNaN(used) ? width : Math.min(used * limit, width), height: 4 }),
      make("path", { class: "limit", d: `M${limit} 0V8` }),
    );
    const error_scale = data.error_scale[i] ? JSON.parse(data.strings[data.error_scale[i]]) : [];
    const eps = EPS[data.dtypes[data.dtype[i]]];
    const error = Number.isFinite(Number(data.ulps[i] ?? NaN)) ? `${rough(data.ulps[i])} ulp` : "";
    const share = Number.isFinite(used) ? (used <= 10 ? `${rough(100 * used)} % of the budget` : `${rough(used)} × the budget`) : "beyond any budget";
    const grade = data.grade[i] ? `grade ${data.grade[i]}` : "";
    const told = make("span", { title: GRADES[data.grade[i]] }, [error, data.ratio[i] === null ? "" : share, grade].filter(Boolean).join(" · "));
    if (!error_scale.length || !eps) return make("div", { class: "error" }, svg, told);
    const terms = error_scale.flatMap(([name, term], k) => [k ? " + " : "", make("b", {}, rough(term)), ` (${name})`]);
    const allowed = budget * eps * error_scale.reduce((sum, [, term]) => sum + term, 0);
    const sum = make("p", { class: "allowed" }, `allowed: ${budget} · ${rough(eps)} · [ `, ...terms, ` ] = ${rough(allowed)}`);
    const box = make("details", { class: "error" }, make("summary", {}, svg, told), sum);
    if (key !== "agrees") box.open = true;
    return box;
  }

  function rough(value) {
    const x = Number(value);
    if (!Number.isFinite(x)) return String(value);
    if (x === 0) return "0";
    if (Math.abs(x) >= 0.001 && Math.abs(x) < 100000) return Number(x.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 6 });
    return x.toExponential(2).replace("e+", "e");
  }

  // Scripts -----------------------------------------------------------------------------------------------------------

  /* Lines and paragraphs that scripts share are there once; a 0 is the next one that was not told of before. */
  async function unpackScripts() {
    await load();
    const content = await inflated("scripts");
    for (const sequences of [content.paragraphs, content.scripts]) {
      let next = 0;
      for (const sequence of sequences) for (let k = 0; k < sequence.length; k++) sequence[k] = sequence[k] ? sequence[k] - 1 : next++;
    }
    content.of = new Uint32Array(data.number); // from a cell to its script; a cell without one is never asked for
    for (let i = 0, k = 0; i < data.number; i++) content.of[i] = data.scriptless[i] ? 0 : k++;
    return content;
  }

  async function script(i) {
    scripts ??= unpackScripts();
    const { lines, paragraphs, scripts: all, of } = await scripts;
    return all[of[i]].map((p) => paragraphs[p].map((l) => lines[l]).join("\n")).join("\n\n");
  }

  function copyButton(i) {
    const reason = data.strings[data.scriptless[i]];
    if (reason) return noScript(i, reason);
    const label = "copy script";
    const button = make("button", { type: "button", class: "copy", title: `The script of ${cellName(i)}, as xent repro prints it` }, label);
    button.addEventListener("click", async () => {
      const done = await copy(await script(i));
      button.textContent = done ? "copied" : "press Ctrl+C";
      say(done ? "Copied the script." : "The script is selected; press Ctrl+C.");
      if (done) setTimeout(() => (button.textContent = label), 1500); // long enough to be read
    });
    return button;
  }

  /* What was not run has nothing to copy; for the rest the button says why there is nothing. */
  function noScript(i, reason) {
    if (["unsupported", "missing"].includes(data.statuses[data.status[i]][0])) return null;
    const words = `No standalone script: ${reason}.`;
    const button = make("button", { type: "button", class: "copy lacking", title: words, "aria-expanded": "false" }, "no script");
    button.addEventListener("click", () => {
      const note = button.nextElementSibling;
      if (note) note.remove();
      else button.after(make("p", { class: "note" }, words));
      button.setAttribute("aria-expanded", String(!note));
    });
    return button;
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const field = make("textarea", { class: "unseen", "aria-label": "Script" });
      field.value = text;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy"); // browsers that keep the clipboard from pages opened from disk
      if (done) field.remove();
      else field.addEventListener("blur", () => field.remove());
      return done;
    }
  }

  function say(text) {
    $("say").textContent = text;
  }

  // Keys --------------------------------------------------------------------------------------------------------------

  /* In the order in which they are seen, which a sorted matrix has in its style. */
  function visibleRows() {
    const boxes = [...document.querySelectorAll("#matrix > details.group")].sort((a, b) => a.style.order - b.style.order);
    return boxes
      .flatMap((box) => [...box.querySelectorAll("tbody tr:not([hidden])")])
      .filter((tr) => {
        for (let box = tr.closest("details"); box; box = box.parentElement.closest("details")) {
          if (!box.open || box.hidden) return false;
        }
        return true;
      });
  }

  const seen = (cell) => cell.offsetParent !== null;

  function walk(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -99], End: [0, 99] };
    const cell = event.target.closest("td, tbody th");
    if (!cell && event.target !== $("matrix")) return;
    if (event.key === "Enter" && cell?.tagName === "TD") {
      open(cell);
      event.preventDefault();
      return;
    }
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    for (const chunk of view?.chunks ?? []) draw(chunk); // what still waits: the next row may be among it
    const rows = visibleRows();
    if (!rows.length) return;
    if (!cell) return focusCell([...rows[0].children].filter(seen)[1] ?? rows[0].children[0]);
    const at = rows.indexOf(cell.parentNode);
    const row = rows[Math.min(Math.max(at + move[0], 0), rows.length - 1)];
    const cells = [...row.children].filter(seen);
    const k = move[0] ? cells.findIndex((other) => other.cellIndex === cell.cellIndex) : cells.indexOf(cell) + move[1];
    focusCell(cells[Math.min(Math.max(k, 0), cells.length - 1)]);
  }

  function focusCell(cell) {
    const inner = cell.tagName === "TH" ? cell.querySelector("a") : cell;
    if (cell.tagName === "TD") cell.tabIndex = -1;
    inner.focus({ preventScroll: true });
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function open(td) {
    load().then(() => {
      const at = Number(td.parentNode.dataset.c) * view.width + td.cellIndex - 1;
      const i = view.best.best[at];
      if (i >= 0) location.hash = "#cell=" + encoded(cellName(i));
    });
  }

  function keys(event) {
    const typing = event.target.closest("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && root.dataset.page === "matrix" && typing) return typing.blur();
    if (typing) return;
    if (event.key === "/" && $("filters")) {
      event.preventDefault();
      if (root.dataset.page !== "matrix") location.hash = lastMatrix;
      setTimeout(() => $("filters").elements.q.focus()); // after the page has changed
      return;
    }
    const article = document.querySelector("article.casepage.here");
    if (root.dataset.page === "cases" && article) {
      const link = [...article.querySelectorAll("nav.walk a")].find((a) => a.dataset.key === event.key);
      if (link) location.hash = event.key === "Escape" ? lastMatrix : link.getAttribute("href");
    }
  }

  // Ledger ------------------------------------------------------------------------------------------------------------

  function filterLedger(text) {
    const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const entry of document.querySelectorAll("#ledger-index tbody tr")) {
      const article = document.getElementById(entry.dataset.entry);
      const content = `${entry.textContent} ${article.textContent}`.toLowerCase();
      entry.hidden = article.hidden = !words.every((word) => content.includes(word));
      if (!entry.hidden) shown++;
    }
    $("ledger-found").textContent = `${shown} entr${shown === 1 ? "y" : "ies"}`;
  }

  // Start -------------------------------------------------------------------------------------------------------------

  function startMatrix(form) {
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      if (event.target.name === "q") go(withSort(formFilters()), false);
    });
    form.addEventListener("change", (event) => {
      if (event.target.name !== "q") go(withSort(formFilters()), true);
    });
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      fillForm({});
      go({}, true);
    });
    $("more").addEventListener("click", () => {
      $("more").setAttribute("aria-expanded", String(form.classList.toggle("unfolded")));
    });
    const foldAll = (open) => {
      for (const box of document.querySelectorAll("#matrix details:not([hidden])")) box.open = open;
    };
    $("unfold").addEventListener("click", () => foldAll(true));
    $("fold").addEventListener("click", () => foldAll(false));
    $("matrix").addEventListener("keydown", walk);
    $("matrix").addEventListener("click", (event) => {
      const td = event.target.closest("tbody td");
      if (td && td.className) open(td);
    });
    form.elements.q.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "Enter") return;
      event.preventDefault();
      load().then(() => walk({ key: "ArrowDown", target: $("matrix"), preventDefault: () => {} }));
    });
  }

  function start() {
    for (const link of document.querySelectorAll("a[data-also]")) {
      link.setAttribute("href", `${link.getAttribute("href")}&${link.dataset.also}`);
    }
    const form = $("filters"); // none in a report of timings alone
    if (form) startMatrix(form);
    document.addEventListener("click", (event) => {
      const dots = event.target.closest?.(".plot [data-i]");
      if (!dots) return;
      const { i: implementation, d: dtype } = dots.dataset;
      following = true;
      location.hash = matrixHash({ loss: dots.closest("svg").dataset.loss, implementation, dtype, sort: "error" });
    });
    document.addEventListener("keydown", keys);
    history.scrollRestoration = "manual";
    document.addEventListener("click", (event) => {
      if (event.target.closest?.('a[href^="#"]')) following = true;
    });
    // Scrolling is told a frame late: of a page that was left meanwhile it would be kept under the next one's address.
    const keepPlace = () => shownHash === location.hash && places.set(shownHash, window.scrollY);
    window.addEventListener("scroll", keepPlace, { passive: true });
    document.addEventListener("click", keepPlace, { capture: true });
    $("ledger-filter")?.addEventListener("input", (event) => filterLedger(event.target.value));
    window.addEventListener("hashchange", route);
    window.addEventListener("popstate", route);
    window.addEventListener("beforeprint", () => {
      for (const box of document.querySelectorAll("section.here details.group")) box.open = true;
    });
    route();
    if (!form) return;
    whenIdle(() =>
      load().catch((error) => {
        $("found").textContent = "This browser cannot unpack the cells; filters and details are not available.";
        console.error(error);
      }),
    );
  }

  document.addEventListener("DOMContentLoaded", start);
})();
