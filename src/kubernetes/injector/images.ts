/** Where the product's images are, in one place. */

const REGISTRY = 'ghcr.io/wimds'

/** The images of one release: the sidecar's, and the init container's that makes the redirect. */
export function imagesOf(version: string): { readonly sidecar: string; readonly redirect: string } {
  return {
    sidecar: `${REGISTRY}/wimds:${version}`,
    redirect: `${REGISTRY}/wimds-redirect:${version}`,
  }
}
