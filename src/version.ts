/** The release that this is; a test holds it against package.json. */
export const VERSION = '0.1.0'

/** The published documentation, for links in messages. */
export const DOCS_URL = 'https://github.com/wimds/wimds/blob/main/docs'
