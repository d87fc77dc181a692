/** Builds the pages of the repository, as they stand, into dist/ and the name of its tag, or main before it is released. */
import { copyFileSync } from 'node:fs'
import { defineConfig } from 'vitepress'
import { REF, VERSION } from '../../src/lib/version.ts'
import { findPlace, REPOSITORY, rewriteLinks, ROOT } from './links.mjs'
import { SEARCH } from './search.mjs'
import { readSidebar } from './sidebar.mjs'

const base = `/wimds/${REF}/`

export default defineConfig({
  title: 'wimds',
  description: 'A sidecar that answers Azure IMDS token requests by workload identity federation',
  lang: 'en',
  base,
  srcDir: '..',
  srcExclude: ['{artifacts,bench,coverage,native,scripts,site,src,test}/**'],
  outDir: `dist/${REF}`,
  cacheDir: 'node_modules/.cache',
  ignoreDeadLinks: 'localhostLinks',
  rewrites: findPlace,
  head: [
    ['link', { rel: 'icon', href: `${base}icon.svg` }],
    // A command that is wider than the page is wrapped, so that its end can be read; it is copied as one line.
    [
      'style',
      {},
      '.vp-doc .language-sh code { white-space: pre-wrap; overflow-wrap: anywhere } .vp-doc .flag { white-space: nowrap }',
    ],
  ],
  markdown: {
    anchor: { slugify },
    languageAlias: { promql: 'sql' },
    config: (markdown) => markdown.use(rewriteLinks).use(keepFlags),
  },
  themeConfig: {
    logo: '/icon.svg',
    nav: [
      {
        text: REF === 'main' ? 'main (not released)' : VERSION,
        items: [
          { text: 'Changes', link: '/changelog' },
          { text: 'Versions', link: 'https://wimds.github.io/wimds/versions.html' },
        ],
      },
    ],
    sidebar: readSidebar(),
    outline: [2, 3],
    search: { provider: 'local', options: SEARCH },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    editLink: { pattern: `${REPOSITORY}/edit/main/:path` },
  },
  vite: { plugins: [{ name: 'wimds-vue', enforce: 'pre', resolveId: findVue }] },
  // Words that people type into a search engine.
  transformPageData: (page) => {
    if (/^recipes\/(?!index)/.test(page.relativePath))
      page.title += ' with workload identity on Kubernetes'
  },
  buildEnd: () => copyFileSync(`${ROOT}docs/images/icon.svg`, `${ROOT}site/dist/${REF}/icon.svg`),
})

/** Keeps a flag of a command in one line: browsers break after a hyphen. */
function keepFlags(markdown) {
  const { highlight } = markdown.options
  markdown.options.highlight = (...args) =>
    highlight(...args).replaceAll(/>[^<]*--[^<]*</g, (text) =>
      text.replaceAll(/--[a-z][a-z-]*/g, '<span class="flag">$&</span>'),
    )
}

/** Returns the anchor that GitHub gives to a heading, so that links work in both places. */
function slugify(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** Leaves Vue to Node while pages are rendered: above the pages there is no folder with Vue, where Vite looks for it. */
function findVue(id, _importer, { ssr }) {
  return ssr && /^vue(\/|$)/.test(id) ? { id, external: true } : undefined
}
