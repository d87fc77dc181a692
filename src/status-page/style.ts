/** The style of the status page: light and dark by the system's setting, one column on a phone. */
import { createHash } from 'node:crypto'

export const STYLE = `
:root{color-scheme:light dark;
--page:#faf9f7;--card:#fff;--line:#e3e1dc;--text:#1d1f24;--quiet:#5c6069;--link:#1f5fae;
--good:#17693f;--good-bg:#e4f3ea;--warn:#7a4d00;--warn-bg:#fbefd9;--bad:#a3241c;--bad-bg:#fbe6e4;--idle:#4a5160;--idle-bg:#eceef1;
--past:#c9d8e8;--rest:#3f7fb5;--mark:#1d1f24}
@media (prefers-color-scheme:dark){:root{
--page:#131519;--card:#1b1e24;--line:#2e333c;--text:#e8e9ec;--quiet:#a7acb7;--link:#8ab8f2;
--good:#74d9a3;--good-bg:#16301f;--warn:#f2c063;--warn-bg:#33270f;--bad:#ff9d94;--bad-bg:#3a1916;--idle:#b9c0cc;--idle-bg:#262b33;
--past:#31455a;--rest:#6aa9de;--mark:#e8e9ec}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
main,header,footer{max-width:70rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:2.5rem}
h1{font-size:1.75rem;line-height:1.2;letter-spacing:-.015em;margin:.25rem 0 0;font-weight:650;overflow-wrap:anywhere}
h2{font-size:1.05rem;font-weight:650;margin:2.75rem 0 .75rem}
h3{font-size:.95rem;font-weight:600;margin:0;overflow-wrap:anywhere}
p{margin:.25rem 0}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.5rem .75rem}
.brand{color:var(--quiet);font-size:.9rem;margin:0}
.quiet{color:var(--quiet)}
.small{font-size:.875rem}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.86em;overflow-wrap:anywhere}
.top{display:flex;flex-wrap:wrap;gap:.75rem 1.25rem;align-items:center;justify-content:space-between}
.pill{display:inline-flex;align-items:center;gap:.45rem;padding:.2rem .7rem;border-radius:99px;font-size:.9rem;font-weight:600;white-space:nowrap}
.pill::before{content:"";width:.55rem;height:.55rem;border-radius:50%;background:currentColor}
.ready,.ok{color:var(--good);background:var(--good-bg)}
.degraded{color:var(--warn);background:var(--warn-bg)}
.failing{color:var(--bad);background:var(--bad-bg)}
.starting{color:var(--idle);background:var(--idle-bg)}
.tag{display:inline-block;padding:.05rem .5rem;border-radius:5px;font-size:.82rem;font-weight:600;white-space:nowrap}
.reasons{margin:1.25rem 0 0;padding:.85rem 1.1rem;border-radius:10px}
.reasons ul{margin:.25rem 0 0;padding-left:1.1rem}
.reasons,.reasons *{color:inherit;overflow-wrap:anywhere}
.facts{display:flex;flex-wrap:wrap;gap:.75rem 2.25rem;margin:1.5rem 0 0}
.facts dt{color:var(--quiet);font-size:.82rem}
.facts dd{margin:0;font-variant-numeric:tabular-nums}
.cards{display:grid;gap:.85rem;grid-template-columns:repeat(auto-fill,minmax(min(22rem,100%),1fr));list-style:none;margin:0;padding:0}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.1rem;min-width:0}
.card .row{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.1rem 1rem}
.life{display:block;width:100%;height:14px;margin:.75rem 0 .45rem}
.life .past{fill:var(--past)}.life .rest{fill:var(--rest)}.life .mark{fill:var(--mark)}.life .none{fill:var(--idle-bg)}
.why{margin:.7rem 0 0;padding-top:.7rem;border-top:1px solid var(--line);font-size:.9rem;overflow-wrap:anywhere}
.box{background:var(--card);border:1px solid var(--line);border-radius:10px}
table{width:100%;border-collapse:collapse;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.6rem 1.1rem;border-top:1px solid var(--line)}
tbody th{font-weight:500}
thead th{border-top:0;color:var(--quiet);font-weight:500;font-size:.82rem}
td{font-variant-numeric:tabular-nums}
td,tbody th{overflow-wrap:anywhere}
.short{white-space:nowrap;overflow-wrap:normal}
.name{min-width:12rem}
.text{min-width:20rem}
.empty{color:var(--quiet);margin:0;padding:.9rem 1.1rem}
details summary{cursor:pointer;padding:.8rem 1.1rem;font-weight:500}
footer{padding-top:2.5rem;padding-bottom:3rem;color:var(--quiet);font-size:.875rem}
@media (max-width:44rem){
main,header,footer{padding-left:1rem;padding-right:1rem}
header{padding-top:1.5rem}
h1{font-size:1.4rem}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,tr,th,td{display:block;width:auto}
tr{padding:.7rem 1.1rem;border-top:1px solid var(--line)}
tbody tr:first-child{border-top:0}
tbody th,td{border:0;padding:.12rem 0;text-align:left}
.short{white-space:normal}
.name,.text{min-width:0}
td[data-label]::before{content:attr(data-label) " ";color:var(--quiet);font-size:.82rem;margin-right:.35rem}
}
`

/** The hash of the style for the Content-Security-Policy. */
export const STYLE_HASH = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`
