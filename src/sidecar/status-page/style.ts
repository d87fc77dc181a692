/** The style of the status page: light and dark by the system's setting, one column on a phone. */
import { createHash } from 'node:crypto'

export const STYLE = `
:root{color-scheme:light dark;
--page:#faf9f7;--card:#fff;--line:#e3e1dc;--edge:#8b8f98;--code:#f3f1ec;--text:#1d1f24;--quiet:#5c6069;--link:#1f5fae;
--good:#17693f;--good-bg:#e4f3ea;--warn:#7a4d00;--warn-bg:#fbefd9;--bad:#a3241c;--bad-bg:#fbe6e4;--idle:#4a5160;--idle-bg:#eceef1;
--past:#c9d8e8;--rest:#3f7fb5;--mark:#1d1f24}
@media (prefers-color-scheme:dark){:root{
--page:#131519;--card:#1b1e24;--line:#2e333c;--edge:#6b7280;--code:#12141a;--text:#e8e9ec;--quiet:#a7acb7;--link:#8ab8f2;
--good:#74d9a3;--good-bg:#16301f;--warn:#f2c063;--warn-bg:#33270f;--bad:#ff9d94;--bad-bg:#3a1916;--idle:#b9c0cc;--idle-bg:#262b33;
--past:#31455a;--rest:#6aa9de;--mark:#e8e9ec}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
main,header,footer{max-width:72rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:2rem}
h1{font-size:1.75rem;line-height:1.2;letter-spacing:-.015em;margin:.1rem 0 0;font-weight:650;overflow-wrap:anywhere}
h2{font-size:1.05rem;font-weight:650;margin:2.5rem 0 .75rem}
h3{font-size:.95rem;font-weight:600;margin:0;overflow-wrap:anywhere}
p{margin:.25rem 0}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.5rem .75rem}
.brand{color:var(--quiet);font-size:.9rem;margin:0}
.brand strong{color:var(--text);font-weight:650}
.quiet{color:var(--quiet)}
.small{font-size:.875rem}
.note{margin-top:.6rem}
.about{margin:-.5rem 0 .75rem;max-width:62rem}
.clock{color:var(--quiet);font-size:.86em;white-space:nowrap}
td .clock,th .clock{display:block}
.times{justify-content:space-between;gap:.5rem 1rem}
.times .clock{display:block}
.card .times{margin-top:.4rem}
.mono,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.86em;overflow-wrap:anywhere}
.name{white-space:nowrap}.name wbr{display:none}
.top{display:flex;flex-wrap:wrap;gap:.75rem 1.5rem;align-items:flex-start;justify-content:space-between}
.state{display:flex;flex-direction:column;align-items:flex-end;gap:.4rem}
.live{display:flex;align-items:center;gap:.6rem;margin:0;color:var(--quiet);font-size:.82rem;font-variant-numeric:tabular-nums}
.live .lost{color:var(--bad)}
.outdated main,.outdated .facts{filter:grayscale(1)}
.live .paused{color:var(--warn)}
button{font:inherit;font-size:.8rem;line-height:1.4;color:var(--text);background:var(--card);border:1px solid var(--edge);border-radius:6px;padding:.1rem .6rem;cursor:pointer}
button:hover{background:var(--idle-bg)}
.pill{display:inline-flex;align-items:center;gap:.45rem;padding:.2rem .7rem;border-radius:99px;font-size:.9rem;font-weight:600;white-space:nowrap}
.pill::before{content:"";width:.55rem;height:.55rem;border-radius:50%;background:currentColor}
.ready,.ok{color:var(--good);background:var(--good-bg)}
.degraded{color:var(--warn);background:var(--warn-bg)}
.failing{color:var(--bad);background:var(--bad-bg)}
.starting{color:var(--idle);background:var(--idle-bg)}
.tag{display:inline-block;padding:.05rem .5rem;border-radius:5px;font-size:.82rem;font-weight:600}
a.tag{text-decoration:none}a.tag:hover{text-decoration:underline}
.facts{display:flex;flex-wrap:wrap;gap:.75rem 2.25rem;margin:1.25rem 0 0}
.card .facts{margin-top:.75rem}
.problem .facts{gap:.75rem 1.75rem;margin-bottom:.75rem}
.facts dt{color:var(--quiet);font-size:.82rem}
.facts dd{margin:0;font-variant-numeric:tabular-nums}
.cards,.tiles{display:grid;gap:.85rem;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));list-style:none;margin:0;padding:0}
.cards{align-items:start}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.1rem;min-width:0}
.row{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.1rem 1rem}
.problems{display:grid;gap:.85rem;list-style:none;margin:0;padding:0}
.problem{border-left:4px solid currentColor;background:var(--card);overflow-wrap:anywhere;scroll-margin-top:1rem}
.problem>*{color:var(--text)}
.problem .quiet{color:var(--quiet)}
.problem .row{align-items:baseline}
.problem:target{outline:2px solid var(--link)}
.problem p,.diagnosis p{max-width:62rem}
.problem h3{font-size:1rem}
.warning p{white-space:pre-line}
.label{margin-top:.75rem;font-weight:500}
.diagnosis{margin-top:.85rem}
.command{display:flex;align-items:flex-start;justify-content:space-between;gap:.75rem;margin:.35rem 0;padding:.55rem .75rem;background:var(--code);border-radius:7px}
.command pre{margin:0;min-width:0;white-space:pre-wrap}
.command button{flex:none}
.tiles{grid-template-columns:repeat(auto-fit,minmax(min(17rem,100%),1fr))}
.tile{display:flex;flex-direction:column}
.figure+p{margin-bottom:.75rem}
.tile h3{color:var(--quiet);font-weight:500;font-size:.875rem}
.figure{font-size:1.75rem;line-height:1.2;font-weight:650;letter-spacing:-.01em;margin:.1rem 0 .25rem;font-variant-numeric:tabular-nums}
.life{display:block;width:100%;height:14px;margin:.75rem 0 .45rem}
.life .past{fill:var(--past)}.life .rest{fill:var(--rest)}.life .mark{fill:var(--mark)}
.box{background:var(--card);border:1px solid var(--line);border-radius:10px}
table{width:100%;border-collapse:collapse;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.6rem .8rem;border-top:1px solid var(--line)}
tbody th{font-weight:500}
th:first-child{padding-left:1.1rem}td:last-child{padding-right:1.1rem}
thead th{border-top:0;color:var(--quiet);font-weight:500;font-size:.82rem}
td{font-variant-numeric:tabular-nums}
td,tbody th{overflow-wrap:anywhere}
.short{white-space:nowrap;overflow-wrap:normal}
.text{min-width:17rem}
.empty{color:var(--quiet);margin:0;padding:.9rem 1.1rem}
.fold details{margin-top:.6rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
#exchanges details{margin-top:2.5rem}
.fold summary{cursor:pointer;padding:.7rem 1.1rem}
.fold h2{display:inline;margin:0 .5rem 0 .15rem;font-size:.95rem}
.fold .about,.fold .note{margin:0 1.1rem .9rem}
.fold .box,.fold .cards .card{border-width:1px 0 0;border-radius:0;background:none}
.fold .cards{gap:0}
.fold .note{margin-top:.6rem}
footer{padding-top:2.5rem;padding-bottom:3rem;color:var(--quiet);font-size:.875rem}
@media (max-width:72rem){.name{white-space:normal}.name wbr{display:inline}}
@media(min-width:52rem){td{min-width:6.5rem}}
@media (max-width:52rem){
main,header,footer{padding-left:1rem;padding-right:1rem}
header{padding-top:1.25rem}
h1{font-size:1.4rem}
h2{margin:1.75rem 0 .6rem}
#exchanges details{margin-top:1.75rem}
.fold summary{padding:.6rem .9rem}
.fold .about,.fold .note{margin-left:.9rem;margin-right:.9rem}
.card{padding:.75rem .9rem}
.card .facts{gap:.4rem 1.25rem}
.card .times{display:grid;grid-template-columns:repeat(3,1fr);gap:.4rem .5rem}
.card .times .clock{white-space:normal}
.state{align-items:flex-start}
.tile{display:grid;grid-template-columns:minmax(6.5rem,auto) 1fr;column-gap:1rem;align-items:center}
.tile h3{grid-column:1/-1}
.figure+p{margin:0}
.command{flex-direction:column}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,tr,th,td{display:block;width:auto}
tr{padding:.5rem .9rem;border-top:1px solid var(--line)}
tbody tr:first-child{border-top:0}
tbody th,td,tbody th:first-child,td:last-child{border:0;padding:.12rem 0}
.short{white-space:normal}
.text{min-width:0}
td[data-label]::before{content:attr(data-label) " ";color:var(--quiet);font-size:.82rem;margin-right:.35rem}
}
@media print{.live,.skip,button{display:none}}
`

/** The hash of the style for the Content-Security-Policy. */
export const STYLE_HASH = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`
