/** The colours of scopes are told apart in the common kinds of colour blindness (Okabe and Ito), light and dark. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --dim: #667078; --paper: #fff; --panel: #f4f6f8; --line: #d5dae0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ea; --dim: #98a2ab; --paper: #14171a; --panel: #1d2226; --line: #343b42; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1240px; margin: 0 auto; padding: 24px; }
h1 { font-size: 22px; margin: 0; }
h2 { font-size: 16px; margin: 28px 0 8px; }
p { margin: 4px 0; overflow-wrap: anywhere; }
.dim { color: var(--dim); }
.warning { color: #c0392b; }
svg { width: 100%; height: auto; display: block; margin-top: 16px; cursor: crosshair; }
svg:focus { outline: 2px solid #0072b2; outline-offset: 4px; }
svg text { fill: var(--dim); font-size: 12px; }
.base, .link { stroke: var(--line); stroke-width: 1.5; }
.link { stroke: var(--dim); }
.s0 { fill: #0072b2; background: #0072b2; } .s1 { fill: #e69f00; background: #e69f00; } .s2 { fill: #009e73; background: #009e73; }
.s3 { fill: #cc79a7; background: #cc79a7; } .s4 { fill: #56b4e9; background: #56b4e9; } .s5 { fill: #d55e00; background: #d55e00; }
.other { fill: #8c959d; background: #8c959d; }
.from-history { fill: var(--ink); background: var(--ink); } .from-backups { fill: #8a6fc0; background: #8a6fc0; }
.from-nowhere { fill: var(--line); background: var(--line); }
.backup circle, .backup rect { fill: #0072b2; stroke: var(--paper); stroke-width: 1.5; }
.backup.pinned circle, .backup.pinned rect { stroke: #e69f00; stroke-width: 3; }
.backup.damaged circle, .backup.damaged rect { fill: #c0392b; }
.restore line { stroke: #d55e00; stroke-width: 2; stroke-dasharray: 4 3; }
#cursor { fill: var(--ink); opacity: 0.14; pointer-events: none; }
.legend span { display: inline-flex; align-items: center; margin-right: 16px; }
.legend i { width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; }
#moment { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; margin-top: 12px; min-height: 150px; }
#moment h2 { margin: 0 0 4px; }
code { background: var(--panel); border-radius: 4px; padding: 1px 5px; font-size: 13px; }
#moment code { background: var(--paper); }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--dim); font-weight: 500; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); }
td { vertical-align: top; }
td.number, td[data-ms] { white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tr:target, tr.rests { background: var(--panel); }
.scroll { overflow-x: auto; }
`;
