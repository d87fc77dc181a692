/** The version of this release; a test compares it with package.json. */
export const VERSION = '0.1.0'

/** The published documentation, for links in messages. */
export const DOCS_URL = 'https://github.com/wimds/wimds/blob/main/docs'
