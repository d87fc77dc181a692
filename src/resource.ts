/** Resources that tokens are for, as callers and settings name them. */

/** Entra ID's resources are URIs and GUIDs, so replies that echo one stay ASCII. */
const RESOURCE = /^[\x21-\x7e]{1,2048}$/

/** Whether the text can be a resource. */
export function isResource(text: string): boolean {
  return RESOURCE.test(text)
}

/**
 * A resource in the form in which allow-lists hold and compare it: without case, trailing slashes and
 * `/.default`, since all these name one resource to Entra ID.
 */
export function normalizeResource(resource: string): string {
  return (
    resource
      .replace(/\/\.default$/i, '')
      // Without the look behind, each slash of a long row would be tried as the first of the last ones.
      .replace(/(?<!\/)\/+$/, '')
      .toLowerCase()
  )
}
