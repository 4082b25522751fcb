# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The style sheet's second half: the filter bar and the controls, then what differs on narrow screens and on paper."""

from __future__ import annotations

import typing as t

CONTROLS_STYLE: t.Final = r"""
.toolbar{
  position:sticky; top:0; z-index:5; background:var(--bg); padding:1rem 0 .875rem; margin:2.25rem 0 .25rem;
  border-bottom:1px solid var(--line)}
.toolbar .row{display:flex;flex-wrap:wrap;gap:.625rem;align-items:center}
.toolbar .row+.row{margin-top:.625rem}
.toolbar h2{margin-right:auto;font-size:1.25rem}
html:not(.js) .filters{display:none}
.filters label{display:contents}
button,select,input{
  font:inherit; font-size:.875rem; color:inherit; background:var(--surface);
  border:1px solid var(--strong-line); border-radius:8px; height:2.25rem; padding:0 .75rem; min-width:0}
input[type=search]{flex:1 1 13rem;appearance:none}
select{max-width:13rem;cursor:pointer}
::placeholder{color:var(--muted);opacity:1}
button{cursor:pointer;display:inline-flex;gap:.4rem;align-items:center;white-space:nowrap}
button:hover{border-color:var(--text)}
.toggle{border-radius:99px;color:var(--v)}
.toggle .num{color:var(--muted)}
.toggle[aria-pressed=true]{
  background:var(--t); border-color:var(--v); box-shadow:inset 0 0 0 1px var(--v); font-weight:560}
.quiet{border-color:transparent;background:none;color:var(--accent);padding:0 .5rem}
.section{margin:1.75rem 0 .625rem;display:flex;gap:.5rem;align-items:center}
.control{
  background:var(--surface); border:1px solid var(--line); border-radius:12px; margin-bottom:.5rem;
  scroll-margin-top:9rem}
.control[open]{box-shadow:var(--shadow);border-color:var(--ghost)}
.control>summary{
  display:grid; grid-template-columns:1.5rem 6.75rem 1fr auto 1rem; gap:.125rem .75rem; align-items:center;
  padding:.8125rem 1.125rem; cursor:pointer; list-style:none; border-radius:12px}
.control>summary::-webkit-details-marker{display:none}
.control>summary:hover{background:var(--sunken)}
.mark{
  display:grid; place-items:center; width:1.5rem; height:1.5rem; border-radius:50%; color:var(--v);
  background:var(--t); font-size:.8125rem}
.control .id{color:var(--muted)}
.control .title{font-weight:530}
.control .tags{display:flex;gap:.375rem;flex-wrap:wrap;justify-content:flex-end}
.chevron{color:var(--muted);transition:transform .15s}
.control[open] .chevron{transform:rotate(90deg)}
.body{
  display:grid; grid-template-columns:minmax(0,1fr) 14.5rem; gap:1.5rem 2.25rem;
  padding:.5rem 1.5rem 1.5rem 3.375rem}
.body>div{display:grid;gap:1.25rem;align-content:start;min-width:0}
.lead{max-width:68ch}
.facts{display:grid;gap:.875rem;font-size:.8125rem;align-content:start}
.facts dt{color:var(--muted);font-size:.75rem}
.facts dd{overflow-wrap:anywhere}
.finding{display:grid;gap:.875rem;min-width:0}
.finding+.finding{border-top:1px solid var(--line);padding-top:1.125rem}
.host{display:flex;gap:.625rem;align-items:center;font-weight:560}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:.75rem}
.value{
  background:var(--sunken); border:1px solid var(--line); border-left:3px solid var(--v,var(--line));
  border-radius:8px; padding:.625rem .875rem; min-width:0}
.value h4{margin-bottom:.125rem}
.value p{font-family:var(--mono);font-size:.8125rem;overflow-wrap:anywhere;white-space:pre-wrap}
pre{
  background:var(--sunken); border:1px solid var(--line); border-radius:8px; padding:.75rem .875rem;
  overflow-x:auto; white-space:pre-wrap; overflow-wrap:anywhere}
.remedy{position:relative}
.remedy pre{padding-right:5.75rem}
.copy{
  display:none; position:absolute; right:.375rem; bottom:.375rem; height:1.875rem; font-size:.75rem;
  padding:0 .625rem}
.js .copy{display:inline-flex}
.box{background:var(--t);border-radius:8px;padding:.75rem .875rem;font-size:.875rem;overflow-wrap:anywhere}
.box strong{color:var(--v)}
.empty{padding:3rem 1rem;text-align:center;color:var(--muted)}
[hidden]{display:none!important}
footer{
  margin-top:3rem; padding-top:1.25rem; border-top:1px solid var(--line); color:var(--muted);
  font-size:.8125rem}
@media screen and (max-width:62rem){
  .hero{grid-template-columns:auto 1fr}
  .hero .trend{grid-column:1/-1}
}
@media screen and (max-width:46rem){
  html{scroll-padding-top:1rem}
  .wrap{padding:1.25rem 1rem 3rem}
  h1{font-size:1.25rem}
  .card{padding:1.125rem}
  .scroll{margin:0 -1.125rem;padding:0 1.125rem}
  .hero{grid-template-columns:1fr;justify-items:center;text-align:center;padding:1.5rem 1.25rem}
  .hero .trend{width:100%;text-align:left}
  .stats{grid-template-columns:1fr 1fr;gap:.5rem}
  .stat:first-child{grid-column:1/-1}
  .stat{padding:.625rem .875rem}
  .bars a{grid-template-columns:1fr auto;gap:.25rem 1rem}
  .bars .bar{grid-column:1/-1;grid-row:2}
  .bars .why{grid-column:1/-1}
  .toolbar{position:static}
  .toolbar select{flex:1 1 8rem;max-width:none}
  .control>summary{grid-template-columns:1.5rem 1fr 1rem;padding:.75rem .875rem}
  .control .title{grid-column:2;grid-row:2}
  .control .tags{grid-column:2;grid-row:3;justify-content:flex-start;margin-top:.25rem}
  .control .chevron{grid-column:3;grid-row:1}
  .body{grid-template-columns:minmax(0,1fr);padding:.25rem .875rem 1.125rem}
  .pair{grid-template-columns:1fr}
  .changes li{grid-template-columns:1fr}
}
@media (prefers-reduced-motion:reduce){
  *{transition:none!important}
}
@media print{
  :root{
    color-scheme:light; --bg:#fff; --surface:#fff; --sunken:#fff; --line:#d5d9e0; --shadow:none; --text:#000;
    --muted:#444c59; --track:#e7eaef; --ghost:#b9c1cd; --accent:#2a55c8; --pass:#14713f; --pass-tint:#fff;
    --fail:#b3261e; --fail-tint:#fff; --waived:#855700; --waived-tint:#fff; --not_observable:#5a3fb0;
    --not_observable-tint:#fff; --not_applicable:#545d6c; --not_applicable-tint:#fff; --pass-fill:#1f9d5b;
    --fail-fill:#d9463d}
  @page{margin:14mm}
  body{font-size:9.5pt}
  .wrap{max-width:none;padding:0}
  *{print-color-adjust:exact;-webkit-print-color-adjust:exact}
  .toolbar{position:static;border:0;margin:1rem 0 0;padding:0}
  .toolbar .filters,.js .copy,.skip,.chevron,.more>summary{display:none}
  .hero{grid-template-columns:auto 1fr 14rem;gap:1rem 1.5rem;padding:1rem 1.25rem}
  .headline{font-size:1.125rem}
  .ring:not(.little){width:7.5rem;height:7.5rem}
  .stats{grid-template-columns:repeat(5,1fr)}
  .two{grid-template-columns:1fr}
  .control,.changes li,.stat,.hero,tr,.notes li,.bars a,section:has(>.bars),section:has(>.notes){
    break-inside:avoid}
  h2,h3,.section{break-after:avoid}
  .control>summary{grid-template-columns:1.5rem 6.75rem 1fr auto}
  .body{grid-template-columns:minmax(0,1fr) 11rem;padding-left:3rem}
  .remedy pre{padding-right:.875rem}
  .more::details-content,.control:not([data-verdict=pass],[data-verdict=not_applicable])::details-content{
    content-visibility:visible!important; display:block!important}
}
"""
