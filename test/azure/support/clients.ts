/** A dozen clients of the matrix, with the commands that run them in the image of `test/azure/image`. */

interface Client {
  readonly name: string
  /** Without the arguments VARIANT and RESOURCE. */
  readonly command: readonly string[]
  readonly variant?: string
}

const js = (name: string) => ['node', `/clients/js/${name}.mjs`]
const python = (name: string) => ['/venv/bin/python', `/clients/python/${name}.py`]
const go = (name: string) => [`/clients/go/${name}`]

export const CLIENTS: readonly Client[] = [
  { name: 'JavaScript @azure/identity 4.14.1', command: js('identity') },
  {
    name: 'JavaScript @azure/identity 4.14.1 default',
    command: js('identity'),
    variant: 'default',
  },
  { name: 'JavaScript @azure/identity 1.5.2', command: js('identity-legacy') },
  { name: 'JavaScript @azure/ms-rest-nodeauth 3.1.1', command: js('ms-rest-nodeauth') },
  { name: 'JavaScript @azure/msal-node 7.2.3', command: js('msal-node') },
  { name: 'Python azure-identity 1.27.0', command: python('azure_identity_driver') },
  {
    name: 'Python azure-identity 1.27.0 default',
    command: python('azure_identity_driver'),
    variant: 'default',
  },
  { name: 'Python msal 1.39.0', command: python('msal_driver') },
  { name: 'Go azidentity 1.15.0', command: go('azidentity') },
  { name: 'Go azidentity 1.15.0 default', command: go('azidentity'), variant: 'default' },
  { name: 'Go azidentity 1.1.0', command: go('azidentity-legacy') },
  { name: 'Go msal 1.10.1', command: go('msal') },
  { name: 'Go adal 0.9.24', command: go('adal') },
]

/** Those that also run in the other modes: they read the variables of mode env. */
export const CURRENT: readonly Client[] = CLIENTS.filter(
  ({ name, variant }) =>
    variant === undefined && /identity (?:4|1\.27)|azidentity 1\.15/.test(name),
)

/** The shell command that builds the image with `$DOCKER_COMMAND`, and pushes it to `$REGISTRY`. */
export const BUILD_IMAGE = `
context=$(mktemp -d)
cp -r test/clients/drivers/. test/clients/package.json "$context"
"\${DOCKER_COMMAND:-docker}" build --platform linux/amd64 --tag "$REGISTRY/wimds-clients:test" \\
  --file test/azure/image/Dockerfile "$context"
"\${DOCKER_COMMAND:-docker}" push "$REGISTRY/wimds-clients:test"
rm -r "$context"`
