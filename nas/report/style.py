"""The look of the report: one style sheet for screens, phones and paper."""

from nas.report.palette import AXIS, BLUE, INK, METER, PAPER, RULE, SOFT, STRONG_RULE, UNSHOWN_BAR, VERMILION

CSS = f"""
:root {{ color-scheme: light; --ink: {INK}; --soft: {SOFT}; --rule: {RULE};
  --accent: {BLUE}; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: {PAPER}; color: var(--ink);
  font: 16px/1.55 Inter, "Segoe UI", "Helvetica Neue",
  Helvetica, Arial, "Liberation Sans", sans-serif; -webkit-text-size-adjust: 100%; }}
main {{ max-width: 1120px; margin: 0 auto; padding: 40px 28px 64px; }}
header {{ padding: 0 4px 8px; max-width: 960px; }}
header > p:first-child {{ margin: 0; color: var(--accent); font-size: 13px; font-weight: 600;
  letter-spacing: .08em;
  text-transform: uppercase; }}
h1 {{ margin: 2px 0 12px; font-size: 38px; line-height: 1.15; letter-spacing: -.02em;
  overflow-wrap: anywhere; }}
h2 {{ margin: 0 0 6px; font-size: 21px; letter-spacing: -.01em; }}
h3 {{ margin: 0 0 8px; font-size: 15px; }}
header dl {{ display: flex; flex-wrap: wrap; gap: 6px 28px; margin: 0 0 18px; }}
header dl div {{ display: flex; gap: 7px; }}
dt {{ color: var(--soft); }}
dd {{ margin: 0; font-weight: 600; overflow-wrap: anywhere; }}
header p {{ margin: 0 0 10px; font-size: 17px; }}
.whole {{ white-space: nowrap; }}
.legend code {{ color: var(--soft); margin-left: 4px; }}
.finding {{ border-left: 3px solid var(--accent); padding-left: 14px; }}
section {{ background: #fff; border: 1px solid var(--rule); border-radius: 10px; padding: 24px 26px;
  margin-top: 20px; }}
.note, figcaption p, .failures {{ color: var(--soft); font-size: 14px; margin: 0 0 14px; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 7px 12px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }}
th {{ font-weight: 600; }}
thead th {{ color: var(--soft); font-size: 13px; line-height: 1.35; vertical-align: bottom;
  border-color: {STRONG_RULE}; }}
thead .group {{ text-align: center; border-left: 12px solid #fff; border-bottom: 1px solid var(--rule); }}
tbody tr:last-child > * {{ border-bottom: 0; }}
th.name, td.name {{ text-align: left; padding-left: 0; }}
td small, th small {{ display: block; color: var(--soft); font-size: 12px; font-weight: 400; line-height: 1.3; }}
th small {{ padding-left: 41px; }}
.swatch {{ vertical-align: -1px; margin-right: 9px; }}
.differences td, .differences th {{ padding-top: 3px; padding-bottom: 3px; border: 0; }}
.differences th.name {{ font-weight: 400; }}
.differences thead th.name {{ font-weight: 600; }}
.differences .pair th {{ text-align: left; font-weight: 400; padding: 14px 0 5px;
  border-bottom: 1px solid var(--rule); }}
.differences td.name {{ padding-left: 12px; }}
.differences thead th:last-child {{ padding-left: 12px; }}
.forest {{ padding: 0 12px; width: 250px; }}
.forest svg {{ display: block; }}
.forest .zero {{ stroke: {AXIS}; stroke-width: 1; }}
.forest .bar {{ stroke: var(--ink); stroke-width: 2; }}
.forest circle {{ fill: var(--ink); }}
.unshown td, .unshown th {{ color: var(--soft); }}
.unshown .bar {{ stroke: {UNSHOWN_BAR}; }}
.unshown circle {{ fill: #fff; stroke: {AXIS}; stroke-width: 1.6; }}
.shown td.name {{ font-weight: 600; }}
figure {{ margin: 0; }}
.beside {{ display: grid; grid-template-columns: minmax(0, 1fr) 260px; gap: 12px 32px; align-items: center; }}
.beside + .scroll {{ margin-top: 18px; }}
.plot {{ display: block; width: 100%; height: auto; }}
.plots {{ display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 18px; }}
.legend {{ list-style: none; display: flex; flex-wrap: wrap; gap: 5px 22px; padding: 0; margin: 0 0 14px;
  font-size: 14px; }}
.beside .legend {{ flex-direction: column; }}
.legend i {{ display: inline-block; width: 14px; height: 14px; border-radius: 7px; margin-right: 8px;
  vertical-align: -2px; }}
.legend i.dot {{ width: 8px; height: 8px; margin: 0 17px 0 11px; background: {AXIS}; vertical-align: 1px; }}
.legend i.line {{ width: 28px; height: 2px; border-radius: 0; background: var(--accent);
  vertical-align: 4px; }}
.legend .cross {{ display: inline-block; width: 36px; padding-left: 9px; color: {VERMILION}; }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr));
  gap: 24px 40px; }}
.cards.roomy {{ grid-template-columns: minmax(0, 1fr); }}
.cards + .legend {{ margin: 18px 0 0; padding-top: 14px; border-top: 1px solid var(--rule); }}
article {{ min-width: 0; }}
.cell {{ display: block; width: 100%; height: auto; font-size: 12.5px; margin-bottom: 12px; }}
code, pre {{ font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
  font-size: 13px; }}
.arch {{ margin: 0; overflow-wrap: anywhere; line-height: 1.45; color: var(--soft); }}
pre {{ margin: 10px 0; padding: 14px 16px; overflow-x: auto; background: {PAPER}; border-radius: 6px;
  line-height: 1.5; }}
pre.command {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
summary {{ cursor: pointer; font-weight: 600; }}
.failures ul {{ padding-left: 18px; overflow-wrap: anywhere; }}
.sides {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr));
  gap: 20px 48px; margin-top: 20px; }}
.sides th, .sides td {{ padding-top: 4px; padding-bottom: 4px; }}
.times {{ max-width: 620px; }}
.meter {{ width: 60%; }}
.meter i {{ display: block; height: 10px; border-radius: 2px; background: {METER}; }}
.total > * {{ border-top: 1px solid {STRONG_RULE}; font-weight: 600; }}
.terms {{ display: grid; grid-template-columns: max-content 1fr; gap: 8px 24px; margin: 8px 0 0; }}
.terms dt {{ color: var(--ink); font-weight: 600; }}
.terms dd {{ font-weight: 400; }}
@media (max-width: 820px) {{
  main {{ padding: 24px 12px 40px; }}
  section {{ padding: 18px 16px; }}
  h1 {{ font-size: 30px; }}
  .beside, .plots, .terms {{ grid-template-columns: minmax(0, 1fr); }}
  .beside .plot {{ min-width: 480px; }}
  .terms {{ gap: 2px; }}
  .terms dd {{ margin-bottom: 8px; }}
}}
@media (max-width: 560px) {{
  .differences .forest, .differences thead th:nth-child(3) {{ display: none; }}
  .differences {{ font-size: 13px; }}
  .differences th {{ white-space: normal; }}
  th, td {{ padding-left: 8px; padding-right: 8px; }}
  .differences td.name, .differences thead th:last-child {{ padding: 3px 0 3px 8px; }}
}}
@media print {{
  body {{ background: #fff; font-size: 11pt; }}
  main {{ max-width: none; padding: 0; }}
  section {{ border: 0; padding: 12px 0; margin: 0; }}
  figure, tr, article, .whole {{ white-space: nowrap; }}
.legend code {{ color: var(--soft); margin-left: 4px; }}
.finding {{ break-inside: avoid; }}
  h2 {{ break-after: avoid; }}
  .scroll {{ overflow: visible; }}
}}
"""
