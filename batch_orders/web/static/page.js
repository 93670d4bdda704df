// Small conveniences over pages that work without: nothing is rendered here, the server says what there is to see.
"use strict";

(() => {
  const DAY = { year: "numeric", month: "short", day: "numeric" };
  const CLOCK = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
  const main = () => document.querySelector("main");
  let waiting = null;
  let last = Promise.resolve();

  /** One thing after the other: a cell that is opened while another is being saved waits for that. */
  function inTurn(act) {
    last = last.then(act, act);
    return last;
  }

  /** Show another page in the place of this one, without losing the place on it. */
  async function show(response, { push = false } = {}) {
    const text = await response.text();
    const type = response.headers.get("content-type") || "";
    if (!type.startsWith("text/html")) {
      if (response.ok) { location.assign(response.url); } else { alertOnPage(text); }
      return;
    }
    const next = new DOMParser().parseFromString(text, "text/html");
    const place = new URL(response.url);
    if (!next.querySelector("main")) { location.assign(response.url); return; }
    if (!response.ok && document.querySelector(".scroll")) {  // what was typed elsewhere on this page stays
      alertOnPage(next.querySelector(".message")?.textContent.trim() ?? "");
      return;
    }
    const left = document.querySelector(".scroll")?.scrollLeft ?? 0;
    document.title = next.title;
    for (const selector of [".top", "main", ".bar-place"]) {
      const [old, fresh] = [document.querySelector(selector), next.querySelector(selector)];
      if (old && fresh) { old.replaceWith(document.adoptNode(fresh)); }
    }
    history[push ? "pushState" : "replaceState"](null, "", place.pathname + place.search + place.hash);
    const grid = document.querySelector(".scroll");
    if (grid) { grid.scrollLeft = left; }
    begin();
  }

  function alertOnPage(text) {
    document.getElementById("alert")?.remove();
    const box = document.createElement("div");
    box.id = "alert";
    box.className = "message bad";
    box.setAttribute("role", "alert");
    box.textContent = text;
    main().prepend(box);
    box.scrollIntoView({ block: "nearest" });
  }

  async function fetched(url, options) {
    document.body.setAttribute("aria-busy", "true");
    try {
      return await fetch(url, { headers: { accept: "text/html" }, credentials: "same-origin", ...options });
    } catch {
      alertOnPage("The page cannot be reached just now. Try again in a moment.");
      return null;
    } finally {
      document.body.removeAttribute("aria-busy");
    }
  }

  /** The focus goes on from where it was: to this element, or (where it is gone) to this row of the grid, or the top. */
  function focusOn(id, row = -1) {
    const rows = document.querySelectorAll(".scroll tbody tr");
    const near = row < 0 ? null : rows[Math.min(row, rows.length - 1)];
    const found = (id && document.getElementById(id))
      || near?.querySelector(".cell.error a.value") || near?.querySelector("a.value")
      || document.querySelector("main h1");
    if (!found) { return; }
    if (!found.matches("a, button, input, [tabindex]")) { found.tabIndex = -1; }
    found.focus({ preventScroll: true });
    found.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-swap]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) { return; }
    event.preventDefault();
    inTurn(async () => {
      const response = await fetched(link.href);
      if (response) { await show(response, { push: !("edit" in link.dataset) }); }
      const input = document.querySelector(".edit input[name=after]");
      if (input) { input.focus(); input.select(); } else { focusOn(link.id || link.dataset.focus); }
    });
  });

  /** What was typed in a cell is saved when the cell is left. */
  document.addEventListener("focusout", (event) => {
    const form = event.target.closest?.("form.edit");
    if (!form || event.target.name !== "after" || form.contains(event.relatedTarget)) { return; }
    if (form.isConnected && !form.dataset.sent && event.target.value !== event.target.defaultValue) { form.requestSubmit(); }
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.dataset.once !== undefined) {
      for (const button of form.querySelectorAll("button")) { setTimeout(() => { button.disabled = true; }); }
    }
    if (!form.matches("form[data-swap]")) { return; }
    event.preventDefault();
    if (form.dataset.sent) { return; }
    form.dataset.sent = "yes";
    const body = new URLSearchParams(new FormData(form));
    inTurn(async () => {
      const row = [...document.querySelectorAll(".scroll tbody tr")].indexOf(form.closest("tr"));
      const response = await fetched(form.action, { method: "POST", body });
      if (!response?.ok) { delete form.dataset.sent; }  // else the cell would be saved again when it goes
      if (!response) { return; }
      const typing = document.querySelector(".edit input[name=after]");
      await show(response);
      if (!typing || typing.form === form) { focusOn(form.dataset.focus, row); }
    });
  });

  /** The act says how many orders it will place. */
  document.addEventListener("input", (event) => {
    const act = event.target.id === "limit" && document.querySelector("button[form=place]");
    if (!act) { return; }
    act.dataset.all ??= act.textContent;
    const few = Number(event.target.value);
    act.textContent = few > 0 ? act.dataset.all.replace(/^Place ([\d,]+) /, (_, all) => `Place ${few} of ${all} `) : act.dataset.all;
  });

  document.addEventListener("keydown", async (event) => {
    if (event.key === "Escape" && event.target.closest(".edit")) {
      event.target.closest(".edit").dataset.sent = "no";
      event.target.closest(".edit").querySelector("a[data-swap]").click();
      return;
    }
    const cell = event.target.closest("tr td.cell");
    const step = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!cell || !step || event.target.matches("input, select, textarea")) { return; }
    const [row, at] = [cell.parentElement, [...cell.parentElement.children].indexOf(cell)];
    const rows = [...row.parentElement.children];
    const next = rows[rows.indexOf(row) + step[0]]?.children[at + step[1]]?.querySelector("a.value");
    if (next) { event.preventDefault(); next.focus(); }
  });

  addEventListener("popstate", () => location.reload());

  /** Times in the reader's own zone, the file that was dropped, a page that waits, a run that goes on. */
  function begin() {
    clearTimeout(waiting);
    inOwnTime(document);
    const drop = document.querySelector(".drop");
    if (drop && !drop.dataset.ready) { ready(drop); }
    const pause = main()?.dataset.again;
    if (pause) {
      waiting = setTimeout(async () => {
        const response = await fetched(location.href);
        if (!response) { begin(); return; }
        await show(response);
        if (document.activeElement === document.body && !main()?.dataset.again) { focusOn("headline"); }
      }, Number(pause));
    }
    const live = document.querySelector("[data-events]");
    if (live && !live.dataset.ready) { follow(live); }
  }

  function inOwnTime(part) {
    for (const time of part.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.getTime())) { continue; }
      const isClock = time.hasAttribute("data-clock");
      time.textContent = isClock
        ? moment.toLocaleTimeString([], { ...CLOCK, second: "2-digit" })
        : moment.toLocaleString([], { ...DAY, ...CLOCK });
    }
  }

  function ready(drop) {
    drop.dataset.ready = "yes";
    const form = drop.closest("form");
    const input = drop.querySelector("input[type=file]");
    const send = () => {
      if (!input.files.length) { return; }
      if (input.files[0].size > Number(drop.dataset.most)) {  // the server would hang up in the middle of it
        drop.querySelector(".picked").textContent = drop.dataset.tooLarge;
        input.value = "";
        return;
      }
      drop.querySelector(".picked").textContent = `Uploading ${input.files[0].name} …`;
      form.requestSubmit();
    };
    input.addEventListener("change", send);
    for (const name of ["dragover", "dragenter"]) {
      drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
    }
    for (const name of ["dragleave", "drop"]) {
      drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
    }
    drop.addEventListener("drop", (event) => {
      if (event.dataTransfer.files.length) { input.files = event.dataTransfer.files; send(); }
    });
  }

  function follow(live) {
    live.dataset.ready = "yes";
    const source = new EventSource(live.dataset.events);
    source.onmessage = (event) => {
      const open = document.activeElement?.id;
      live.innerHTML = event.data;
      inOwnTime(live);
      if (open && live.querySelector(`#${CSS.escape(open)}`)) { focusOn(open); }
      const told = live.querySelector("h1")?.textContent;
      if (told) { document.title = `${told} · batch-orders`; }
    };
    const ended = async () => {
      source.close();
      const response = await fetched(location.href);
      if (response) { await show(response); focusOn("headline"); }
    };
    source.addEventListener("ended", ended);
    // A page that was started anew does not have the run under way any more: it says where the run stands.
    source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) { ended(); } });
    addEventListener("pagehide", () => source.close());
  }

  begin();
})();
