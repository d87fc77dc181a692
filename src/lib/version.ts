/** The version of this release; a test compares it with package.json. */
export const VERSION = '0.1.0'

/**
 * The documentation of this version, for links in messages: that of the release's tag, and of main before it is released.
 * A test compares it with CHANGELOG.md; docs/releasing.md has the command that changes it.
 */
export const DOCS_URL = 'https://github.com/wimds/wimds/blob/main/docs'
