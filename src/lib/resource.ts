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

/** The URL of one vault or database server, whose tokens are tokens of the service. A storage account has its own tokens. */
const INSTANCE_URL =
  /^https:\/\/(?!management\.)[^/.]+\.(vault\.(?:azure\.net|azure\.cn|usgovcloudapi\.net)|database\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net))(?:[:/]|$)/i

/** Returns the resource of the service, for the URL of one vault or database server; undefined for any other resource. */
export function findServiceResource(resource: string): string | undefined {
  const [, host] = INSTANCE_URL.exec(resource) ?? []
  return host === undefined ? undefined : `https://${host.toLowerCase()}`
}
