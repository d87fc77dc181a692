/** The script that keeps the open status page up to date. The page works without it. */

/**
 * Fetches the page every five seconds while it is visible, and shows the new one unless text is selected. The scroll
 * position and the keyboard's focus stay.
 */
export const SCRIPT = `
'use strict'
const INTERVAL_MS = 5000
const [live, pause, state] = ['live', 'pause', 'state'].map((id) => document.getElementById(id))
const main = document.querySelector('main')
let paused = false
let asOf = live.textContent

async function refresh() {
  if (paused || document.hidden) return
  try {
    const response = await fetch(location.href, { signal: AbortSignal.timeout(INTERVAL_MS) })
    if (!response.ok) throw new Error(response.statusText)
    const next = new DOMParser().parseFromString(await response.text(), 'text/html')
    if (!paused && getSelection().isCollapsed) show(next)
  } catch {
    showLost()
  }
}

function show(next) {
  document.body.classList.remove('lost')
  document.title = next.title
  asOf = next.getElementById('live').textContent
  // A screen reader reads it out when it changes.
  const { innerHTML } = next.getElementById('state')
  if (state.innerHTML !== innerHTML) state.innerHTML = innerHTML
  const findFocusable = () => [...main.querySelectorAll('a, button')]
  const focusedAt = findFocusable().indexOf(document.activeElement)
  main.replaceChildren(...next.querySelector('main').childNodes)
  findFocusable()[focusedAt]?.focus({ preventScroll: true })
  showTime()
}

// What the page shows may no longer be true.
function showLost() {
  if (document.body.classList.contains('lost')) return
  document.body.classList.add('lost')
  document.title = 'No answer: ' + document.querySelector('h1').textContent
  state.textContent = 'No answer'
  live.textContent = asOf + '. The sidecar or the port-forward may have ended; trying again.'
}

function showTime() {
  live.textContent = (paused ? 'Paused. ' : 'Live. ') + asOf
}

pause.addEventListener('click', () => {
  paused = !paused
  pause.textContent = paused ? 'Resume' : 'Pause'
  showTime()
  refresh()
})
document.addEventListener('click', async ({ target }) => {
  if (!target.matches('.command button')) return
  await navigator.clipboard.writeText(target.parentElement.querySelector('code').textContent)
  target.textContent = 'Copied'
})
document.addEventListener('visibilitychange', refresh)
setInterval(refresh, INTERVAL_MS)
showTime()
`
