/** The resources that tokens are requested for. */

/** Resources in Entra ID are URIs and GUIDs, so replies that echo one stay ASCII. */
const RESOURCE = /^[\x21-\x7e]{1,2048}$/

/** Returns true if the text can be a resource. */
export function isResource(text: string): boolean {
  return RESOURCE.test(text)
}

/**
 * Returns a resource in the form in which allow-lists compare it: without case, trailing slashes and
 * `/.default`, since Entra ID takes all of these for one resource.
 */
export function normalizeResource(resource: string): string {
  return (
    resource
      .replace(/\/\.default$/i, '')
      // Without the lookbehind, a long row of slashes takes quadratic time.
      .replace(/(?<!\/)\/+$/, '')
      .toLowerCase()
  )
}
