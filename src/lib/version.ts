/** The version of this release; a test compares it with package.json. */
export const VERSION = '0.1.0'

/**
 * Where the documentation of this version is, for links in messages. The URL ends with the release's tag; before the release, with
 * main. A test compares it with CHANGELOG.md. docs/releasing.md has the command that changes it.
 */
export const DOCS_URL = 'https://wimds.github.io/wimds/main'

/** Formats the JSON document of a command. Its form is public: members are added, never renamed. */
export function formatDocument(members: object): string {
  return `${JSON.stringify({ schemaVersion: 1, version: VERSION, ...members }, null, 2)}\n`
}

/** Whether this version is a release, whose images are in the public registry. */
export const IS_RELEASED = !DOCS_URL.endsWith('/main')

/** Returns where a page of the site can be read. Before a release that is the checkout: nobody has reserved the host of the site. */
export function locatePage(url: string): string {
  return IS_RELEASED ? url : url.replace(`${DOCS_URL}/`, 'docs/').replace('.html', '.md')
}
