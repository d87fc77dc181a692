/** The version of this release; a test compares it with package.json. */
export const VERSION = '0.1.0'

/** The site with the documentation of this version. The script scripts/release/version.sh changes its last segment. */
const DOCS_URL = 'https://wimds.github.io/wimds/main'

/** The branch or tag of this version: `main` before the release. A test compares it with CHANGELOG.md. */
export const REF = DOCS_URL.replace(/.*\//, '')

/** True for a release: its images are in the public registry. */
export const IS_RELEASED = REF !== 'main'

/**
 * Returns the URL of a page of docs/, such as `troubleshooting`, and of its section. Before a release returns the path in the
 * checkout, because nobody has reserved the host of the site.
 */
export function docsPage(page: string, section = ''): string {
  const hash = section && `#${section}`
  return IS_RELEASED ? `${DOCS_URL}/${page}.html${hash}` : `docs/${page}.md${hash}`
}
