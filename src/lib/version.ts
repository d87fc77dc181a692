/** The version of this release; a test compares it with package.json. */
export const VERSION = '0.1.0'

/**
 * The documentation of this version, for links in messages: its last segment is the release's tag, and main before it is
 * released. A test compares it with CHANGELOG.md; docs/releasing.md has the command that changes it.
 */
export const DOCS_URL = 'https://wimds.github.io/wimds/main'
