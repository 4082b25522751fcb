# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The script of the HTML report: filters with their state in the address, copy buttons, unfolding for print.

Without it everything is readable; it only adds. It makes no request and sets no markup from text.
"""

from __future__ import annotations

import typing as t

SCRIPT: t.Final = r"""
"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const one = (id) => document.getElementById(id);
  const search = one("f-text"), toggles = all(".toggle"), count = one("f-count"), empty = one("f-empty");
  const selects = {category: one("f-category"), level: one("f-level"), host: one("f-host")};
  const sections = all(".section").map((heading) => ({heading, list: heading.nextElementSibling}));
  const controls = all(".control").map((element) => ({
    element, text: element.textContent.toLowerCase(),
    findings: all(".finding", element).map((finding) => ({element: finding, ...finding.dataset})),
  }));
  document.documentElement.classList.add("js");

  const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
  const press = (button, pressed) => button.setAttribute("aria-pressed", String(pressed));
  const chosen = () => toggles.filter(isPressed).map((toggle) => toggle.value);
  const valueOf = (name) => (selects[name] ? selects[name].value : "");

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), verdicts = chosen(), host = valueOf("host");
    const category = valueOf("category"), level = valueOf("level");
    let shown = 0;
    for (const control of controls) {
      const data = control.element.dataset;
      let matches = 0;
      for (const finding of control.findings) {
        const fits = (!host || finding.host === host) && (!verdicts.length || verdicts.includes(finding.verdict));
        finding.element.hidden = !fits;
        matches += fits ? 1 : 0;
      }
      const fits = matches > 0 && (!category || data.category === category) && (!level || data.level === level) &&
        words.every((word) => control.text.includes(word));
      control.element.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    for (const {heading, list} of sections) {
      heading.hidden = !all(".control", list).some((control) => !control.hidden);
    }
    empty.hidden = shown > 0;
    count.textContent = shown === controls.length ? `${shown} controls` : `${shown} of ${controls.length} controls`;
  };

  const remember = () => {
    const state = new URLSearchParams();
    if (search.value.trim()) state.set("q", search.value.trim());
    if (chosen().length) state.set("verdict", chosen().join(","));
    for (const name of Object.keys(selects)) if (valueOf(name)) state.set(name, valueOf(name));
    const hash = state.toString();
    history.replaceState(null, "", hash ? `#${hash}` : "#all");
  };

  const recall = () => {
    const hash = location.hash.slice(1);
    let target = null;
    try {
      target = hash && !hash.includes("=") ? one(decodeURIComponent(hash)) : null;
    } catch (error) { /* not an address of ours */ }
    if (target && target.matches(".control")) {
      if (target.hidden) set(new URLSearchParams());
      target.open = true;
      target.scrollIntoView({block: "start"});
      target.querySelector("summary").focus({preventScroll: true});
      return;
    }
    const state = new URLSearchParams(hash.includes("=") ? hash : "");
    set(state);
    if (hash.includes("=")) one("controls").scrollIntoView({block: "start"});
  };

  const set = (state) => {
    const verdicts = (state.get("verdict") || "").split(",");
    search.value = state.get("q") || "";
    for (const toggle of toggles) press(toggle, verdicts.includes(toggle.value));
    for (const [name, select] of Object.entries(selects)) {
      const wanted = state.get(name) || "";
      const known = select && Array.from(select.options).some((option) => option.value === wanted);
      if (select) select.value = known ? wanted : "";
    }
    apply();
  };

  const changed = () => { apply(); remember(); };
  search.addEventListener("input", changed);
  for (const select of Object.values(selects)) if (select) select.addEventListener("change", changed);
  for (const toggle of toggles) toggle.addEventListener("click", () => {
    press(toggle, !isPressed(toggle));
    changed();
  });
  one("f-reset").addEventListener("click", () => { set(new URLSearchParams()); remember(); search.focus(); });
  const unfold = one("f-unfold");
  unfold.addEventListener("click", () => {
    const open = !isPressed(unfold);
    for (const {element} of controls) if (!element.hidden) element.open = open;
    press(unfold, open);
    unfold.textContent = open ? "Collapse all" : "Expand all";
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input,select") || event.ctrlKey || event.metaKey;
    if (event.key !== "/" || typing) return;
    event.preventDefault();
    search.focus();
  });

  const copy = async (pre) => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      return true;
    } catch (error) { /* refused: select it, so that a key copies it */ }
    const range = document.createRange(), selection = getSelection();
    range.selectNodeContents(pre);
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  };
  for (const button of all(".copy")) button.addEventListener("click", async () => {
    const done = await copy(button.parentElement.querySelector("pre"));
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });

  let folded = [];
  addEventListener("beforeprint", () => {
    const inShort = ["pass", "not_applicable"];
    folded = all("details:not([open])").filter((element) => !inShort.includes(element.dataset.verdict));
    for (const element of folded) element.open = true;
  });
  addEventListener("afterprint", () => { for (const element of folded) element.open = false; folded = []; });
  addEventListener("hashchange", recall);
  recall();
})();
"""
