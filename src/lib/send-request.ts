/** Requests by undici, for the API server and for doctor. */
import type { Dispatcher } from './undici.ts'

/** The options of undici's own `request`, with a dispatcher: there is no global one here. */
type RequestOptions = Omit<Dispatcher.RequestOptions, 'origin' | 'path' | 'method'> & {
  readonly dispatcher: Dispatcher
  readonly method?: Dispatcher.HttpMethod
}

/** Sends a request and returns the response, whose body the caller has to read or destroy. */
export function sendRequest(
  url: string | URL,
  { dispatcher, method = 'GET', ...options }: RequestOptions,
): Promise<Dispatcher.ResponseData> {
  const { origin, pathname, search } = new URL(url)
  return dispatcher.request({ ...options, method, origin, path: `${pathname}${search}` })
}
