/** The script that keeps the open status page up to date. The page works without it. */

/**
 * Fetches the page every five seconds while it is visible and no text is selected, and replaces the parts that have
 * changed. The scroll position and the keyboard's focus stay.
 */
export const SCRIPT = `
'use strict'
const INTERVAL_MS = 5000
const live = document.getElementById('live')
const button = document.getElementById('pause')
const findParts = (root) => root.querySelectorAll('[data-part]')
const markup = new Map([...findParts(document)].map((part) => [part.dataset.part, part.innerHTML]))
let timer
let paused = false
let asOf = live.textContent

function schedule(ms) {
  clearTimeout(timer)
  if (!paused && !document.hidden) timer = setTimeout(refresh, ms)
}

async function refresh() {
  try {
    const response = await fetch(location.href, { signal: AbortSignal.timeout(INTERVAL_MS) })
    if (!response.ok) throw new Error(response.statusText)
    const next = new DOMParser().parseFromString(await response.text(), 'text/html')
    if (next.documentElement.dataset.version !== document.documentElement.dataset.version) return location.reload()
    if (!paused && getSelection().isCollapsed) show(next)
  } catch {
    showLost()
  }
  schedule(INTERVAL_MS)
}

function show(next) {
  document.body.classList.remove('lost')
  document.title = next.title
  asOf = next.getElementById('live').textContent
  for (const source of findParts(next)) {
    const { part } = source.dataset
    if (markup.get(part) === source.innerHTML) continue
    markup.set(part, source.innerHTML)
    replace(document.querySelector('[data-part="' + part + '"]'), source)
  }
  showTime()
}

// What the page shows may no longer be true.
function showLost() {
  document.body.classList.add('lost')
  document.title = 'No answer: ' + document.querySelector('h1').textContent
  document.querySelector('[data-part=state]').textContent = 'No answer'
  markup.delete('state')
  live.textContent = asOf + '. The sidecar or the port-forward may have ended; trying again.'
}

function replace(target, source) {
  const findFocusable = () => [...target.querySelectorAll('a, button')]
  const focusedAt = findFocusable().indexOf(document.activeElement)
  target.replaceChildren(...source.childNodes)
  addCopyButtons(target)
  findFocusable()[focusedAt]?.focus({ preventScroll: true })
}

function showTime() {
  live.textContent = (paused ? 'Paused. ' : 'Live. ') + asOf
}

function addCopyButtons(root) {
  for (const command of root.querySelectorAll('.command')) {
    const copy = document.createElement('button')
    copy.type = 'button'
    copy.textContent = 'Copy'
    copy.addEventListener('click', async () => {
      await navigator.clipboard.writeText(command.querySelector('code').textContent)
      copy.textContent = 'Copied'
    })
    command.append(copy)
  }
}

button.addEventListener('click', () => {
  paused = !paused
  button.textContent = paused ? 'Resume' : 'Pause'
  showTime()
  schedule(0)
})
document.addEventListener('visibilitychange', () => schedule(0))
button.hidden = false
showTime()
addCopyButtons(document)
schedule(1500)
`
