/** The paths at which the sidecar answers token requests, by protocol. */
export const TOKEN_PATHS = {
  imds: '/metadata/identity/oauth2/token',
  /** Served only with the secret `WIMDS_IDENTITY_HEADER`. */
  appService: '/msi/token',
  cloudShell: '/oauth2/token',
} as const
