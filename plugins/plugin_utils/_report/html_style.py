# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The style sheet of the HTML report: colours for light and dark, fonts, the overview. No rule loads anything."""

from __future__ import annotations

import typing as t

from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_style_controls import CONTROLS_STYLE

_OVERVIEW: t.Final = r"""
:root{
  color-scheme:light dark; --bg:#f5f6f8; --surface:#fff; --sunken:#f7f8fa; --line:#e2e5ea;
  --strong-line:#8b94a3; --text:#141922; --muted:#545d6c; --accent:#2a55c8; --track:#e7eaef; --ghost:#b9c1cd;
  --shadow:0 1px 2px rgb(16 24 40/.05),0 4px 16px rgb(16 24 40/.04); --pass:#14713f; --pass-tint:#e4f4eb;
  --pass-fill:#1f9d5b; --fail:#b3261e; --fail-tint:#fdeceb; --fail-fill:#d9463d; --waived:#855700;
  --waived-tint:#fcf2dc; --waived-fill:#d99a1c; --not_observable:#5a3fb0; --not_observable-tint:#efebfb;
  --not_observable-fill:#7d62d4; --not_applicable:#545d6c; --not_applicable-tint:#eceef2;
  --not_applicable-fill:#9aa3b1;
  --sans:"Inter","Inter var",system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
  --mono:ui-monospace,"SF Mono","JetBrains Mono","Cascadia Code",Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){
  :root{
    --bg:#0c0f14; --surface:#141920; --sunken:#10141a; --line:#252c37; --strong-line:#667183; --text:#e7eaf0;
    --muted:#a0a9b8; --accent:#8fb2ff; --track:#232a35; --ghost:#4a5566; --shadow:none; --pass:#63d296;
    --pass-tint:#12281d; --pass-fill:#37b873; --fail:#ff8f86; --fail-tint:#351817; --fail-fill:#ef6259;
    --waived:#f0bf5c; --waived-tint:#2e2411; --waived-fill:#d99a1c; --not_observable:#bba9ff;
    --not_observable-tint:#221c3b; --not_observable-fill:#9079e6; --not_applicable:#a0a9b8;
    --not_applicable-tint:#1f2631; --not_applicable-fill:#667183}
}
*,*::before,*::after{box-sizing:border-box}
html{scroll-padding-top:9rem;-webkit-text-size-adjust:100%}
body{
  margin:0; background:var(--bg); color:var(--text); font:400 .9375rem/1.55 var(--sans);
  -webkit-font-smoothing:antialiased; font-feature-settings:"cv11","ss03"}
h1,h2,h3,h4,p,ul,ol,dl,dd,pre,table{margin:0;padding:0}
ul,ol{list-style:none}
h1{font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.018em}
h2{font-size:1.0625rem;font-weight:620;letter-spacing:-.01em}
h3{font-size:.8125rem;font-weight:600;color:var(--muted)}
h4{font-size:.75rem;font-weight:600;color:var(--muted);margin-bottom:.375rem}
a{color:var(--accent);text-decoration-thickness:1px;text-underline-offset:.2em}
code,pre,.id{font-family:var(--mono);font-size:.8125rem;font-variant-ligatures:none}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:6px}
.skip{position:absolute;left:-999px}
.skip:focus{left:1rem;top:1rem;background:var(--surface);padding:.5rem 1rem;z-index:9}
.wrap{max-width:76rem;margin:0 auto;padding:2.5rem 2rem 5rem}
.icon{
  width:1em; height:1em; flex:none; fill:none; stroke:currentColor; stroke-width:2; stroke-linecap:round;
  stroke-linejoin:round}
.num{font-variant-numeric:tabular-nums}
.muted{color:var(--muted)}
.small{font-size:.8125rem}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
header.top{display:flex;gap:1rem;align-items:center;margin-bottom:2rem}
.brand{width:2.5rem;height:2.5rem;flex:none;color:var(--accent)}
.meta{display:flex;flex-wrap:wrap;gap:.125rem 1rem;color:var(--muted);font-size:.8125rem;margin-top:.25rem}
.card{
  background:var(--surface); border:1px solid var(--line); border-radius:14px; box-shadow:var(--shadow);
  padding:1.5rem}
.card>h2{
  margin-bottom:1.125rem; display:flex; gap:.75rem; align-items:baseline; justify-content:space-between;
  flex-wrap:wrap}
.card>h2 .muted{font-weight:400;font-size:.8125rem;letter-spacing:0}
.grid{display:grid;gap:1.25rem}
.grid,.card.wide{margin-bottom:1.25rem}
.two{grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));align-items:start}
.alert{
  display:flex; gap:.75rem; align-items:baseline; border-radius:12px; padding:.875rem 1.125rem;
  margin-bottom:1.25rem; background:var(--waived-tint); color:var(--waived); border:1px solid currentColor}
.hero{
  display:grid; grid-template-columns:auto minmax(14rem,1fr) minmax(15rem,20rem); gap:1rem 2.5rem;
  align-items:center; padding:1.75rem 2rem}
.ring{display:block;width:10.5rem;height:10.5rem}
.ring.little{width:3.25rem;height:3.25rem}
.ring .track,.ring .arc,.ring .was{fill:none;stroke-width:9}
.ring .track{stroke:var(--track)}
.ring .arc{stroke-linecap:round}
.ring .was{stroke:var(--text);opacity:.55}
.ring text{fill:var(--text);font-family:var(--sans);text-anchor:middle;font-variant-numeric:tabular-nums}
.ring .big{font-size:36px;font-weight:650;letter-spacing:-.03em}
.ring .of{font-size:9.5px;fill:var(--muted)}
.ring.little .big{font-size:38px}
.ring.little .track,.ring.little .arc{stroke-width:11}
.good{stroke:var(--pass-fill)}
.fair{stroke:var(--waived-fill)}
.poor{stroke:var(--fail-fill)}
rect.good{fill:var(--pass-fill)}
rect.fair{fill:var(--waived-fill)}
rect.poor{fill:var(--fail-fill)}
rect.good,rect.fair,rect.poor{stroke:none}
.headline{font-size:1.375rem;font-weight:600;line-height:1.3;letter-spacing:-.018em;text-wrap:balance}
.delta{
  display:inline-flex; gap:.375rem; align-items:center; margin-top:.75rem;
  padding:.1875rem .75rem .1875rem .625rem; border-radius:99px; font-size:.8125rem; font-weight:560}
.better{background:var(--pass-tint);color:var(--pass)}
.worse{background:var(--fail-tint);color:var(--fail)}
.other{background:var(--not_applicable-tint);color:var(--not_applicable)}
.spark{display:block;width:100%;height:auto;overflow:visible}
.spark .area{fill:var(--accent);opacity:.1;stroke:none}
.spark polyline{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.spark circle{fill:var(--surface);stroke:var(--accent);stroke-width:2}
.spark circle.last{fill:var(--accent)}
.spark line{stroke:var(--line);stroke-width:1}
.spark text{fill:var(--muted);font:400 10.5px var(--sans);font-variant-numeric:tabular-nums}
.spark text.now{fill:var(--text);font-weight:600}
.stats{display:grid;grid-template-columns:repeat(5,1fr);gap:.75rem;margin-bottom:1.25rem}
.stat{
  display:block; color:inherit; text-decoration:none; background:var(--surface); border:1px solid var(--line);
  border-radius:12px; padding:.875rem 1.125rem; box-shadow:var(--shadow)}
.stat b{
  display:block; font-size:1.625rem; line-height:1.2; font-weight:630; letter-spacing:-.02em;
  font-variant-numeric:tabular-nums}
.stat span{display:inline-flex;gap:.4rem;align-items:center;font-size:.8125rem;color:var(--v)}
.stat:hover{border-color:var(--v)}
.stat.zero b{color:var(--muted);font-weight:450}
.v-pass{--v:var(--pass);--t:var(--pass-tint)}
.v-fail{--v:var(--fail);--t:var(--fail-tint)}
.v-waived{--v:var(--waived);--t:var(--waived-tint)}
.v-not_observable{--v:var(--not_observable);--t:var(--not_observable-tint)}
.v-not_applicable,.v-none{--v:var(--not_applicable);--t:var(--not_applicable-tint)}
.bars{display:grid;gap:.25rem;margin:0 -.625rem}
.bars a{
  display:grid; grid-template-columns:minmax(7rem,10.5rem) 1fr 2.5rem; gap:.125rem 1rem; align-items:center;
  color:inherit; text-decoration:none; padding:.4375rem .625rem; border-radius:8px}
.bars a:hover{background:var(--sunken)}
.bar{display:block;width:100%;height:.625rem;overflow:visible}
.bar .track{fill:var(--track)}
.bar .was{fill:var(--text);opacity:.55}
.bars .num{text-align:right;font-weight:600}
.bars .why{grid-column:2/-1;font-size:.75rem;color:var(--muted)}
.legend{display:flex;gap:.5rem;align-items:center;font-size:.75rem;color:var(--muted);margin-top:.875rem}
.legend i{width:3px;height:.75rem;background:var(--text);opacity:.55;border-radius:1px}
.pill{
  display:inline-flex; align-items:center; gap:.3rem; padding:.0625rem .5625rem; border-radius:99px;
  font-size:.75rem; font-weight:540; white-space:nowrap; color:var(--v); background:var(--t)}
.tag{
  display:inline-block; padding:.0625rem .5rem; border-radius:6px; font-size:.75rem; color:var(--muted);
  border:1px solid var(--line); white-space:nowrap}
.changes li{
  display:grid; grid-template-columns:1fr auto; gap:.125rem 1rem; padding:.5625rem 0;
  border-top:1px solid var(--line); align-items:baseline}
.changes li:first-child{border-top:0;padding-top:0}
.changes a{color:inherit;text-decoration:none}
.changes a:hover{text-decoration:underline}
.changes .values{
  grid-column:1/-1; font-family:var(--mono); font-size:.75rem; color:var(--muted); overflow-wrap:anywhere}
.changes .values del{text-decoration:none;opacity:.85}
.changes .values ins{text-decoration:none;color:var(--text)}
.move{display:inline-flex;gap:.375rem;align-items:center;color:var(--muted)}
.more>summary{
  cursor:pointer; color:var(--accent); font-size:.8125rem; padding:.5rem 0; border-top:1px solid var(--line)}
.more>summary::-webkit-details-marker{display:none}
.more>summary{list-style:none}
.more[open]>summary{color:var(--muted)}
.scroll{overflow-x:auto;margin:0 -1.5rem;padding:0 1.5rem}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th{
  text-align:left; font-weight:560; font-size:.75rem; color:var(--muted); padding:0 1rem .5rem 0;
  white-space:nowrap; border-bottom:1px solid var(--line)}
td{padding:.6875rem 1rem .6875rem 0;border-bottom:1px solid var(--line);vertical-align:middle}
tbody tr:last-child td{border-bottom:0;padding-bottom:.25rem}
th:last-child,td:last-child{padding-right:0}
td.right,th.right{text-align:right}
td .ring{margin:-.25rem 0 -.25rem -.125rem}
.notes{display:grid;gap:.75rem}
.notes li{display:grid;gap:.125rem}
"""

STYLE: t.Final = _OVERVIEW + CONTROLS_STYLE
