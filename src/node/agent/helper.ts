/** The program of native/wimds-node.c, on the PATH. */
export const HELPER = 'wimds-node'
