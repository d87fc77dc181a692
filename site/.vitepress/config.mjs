/** Builds docs/, as it stands, into dist/VERSION/. */
import { copyFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import { VERSION } from '../../src/lib/version.ts'
import { findTarget, REPOSITORY, rewriteLinks } from './links.mjs'
import { readSidebar } from './sidebar.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const minor = VERSION.split('.').slice(0, 2).join('.')
const dist = `${root}/site/dist`

export default defineConfig({
  title: 'wimds',
  description: 'A sidecar that answers Azure IMDS token requests by workload identity federation',
  lang: 'en',
  base: `/wimds/${minor}/`,
  srcDir: '../docs',
  outDir: `dist/${minor}`,
  cacheDir: 'node_modules/.cache',
  ignoreDeadLinks: 'localhostLinks',
  rewrites: (page) => page.replace(/README\.md$/, 'index.md'),
  head: [['link', { rel: 'icon', href: `/wimds/${minor}/icon.svg` }]],
  markdown: {
    anchor: { slugify },
    languageAlias: { promql: 'sql' },
    config: (markdown) => markdown.use(rewriteLinks),
  },
  themeConfig: {
    logo: '/icon.svg',
    nav: [
      {
        text: VERSION,
        items: [
          { text: 'Changes', link: findTarget('../CHANGELOG.md', 'README.md') },
          { text: 'Versions', link: `${REPOSITORY}/releases` },
        ],
      },
    ],
    sidebar: readSidebar(),
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    editLink: { pattern: `${REPOSITORY}/edit/main/docs/:path` },
  },
  vite: { plugins: [{ name: 'wimds-vue', enforce: 'pre', resolveId: findVue }] },
  buildEnd: completeSite,
})

/** Returns the anchor that GitHub gives to a heading, so that links work in both places. */
function slugify(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** Leaves Vue to Node while pages are rendered: above docs/ there is no folder with Vue, where Vite looks for it. */
function findVue(id, _importer, { ssr }) {
  return ssr && /^vue(\/|$)/.test(id) ? { id, external: true } : undefined
}

/** Adds what lies above the folder of the version, and the icon. */
function completeSite() {
  copyFileSync(`${root}/docs/images/icon.svg`, `${dist}/${minor}/icon.svg`)
  copyFileSync(`${dist}/${minor}/404.html`, `${dist}/404.html`)
  writeFileSync(
    `${dist}/index.html`,
    `<!doctype html><title>wimds</title><meta http-equiv="refresh" content="0; url=${minor}/">` +
      `<a href="${minor}/">Documentation of wimds ${minor}</a>\n`,
  )
}
