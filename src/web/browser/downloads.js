/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// Downloads several records, one after the other; each has a link of its own without it.

// Whoever is here has opened the link: the tab need not know it any more.
sessionStorage.removeItem('consilium-link')

/** Browsers drop downloads that begin at the same moment. */
const PAUSE_MILLISECONDS = 1500

/** @param {string} address */
function download(address) {
  const link = document.createElement('a')
  link.href = address
  link.download = ''
  document.body.append(link)
  link.click()
  link.remove()
}

/** @param {HTMLElement} records @param {boolean} all */
async function downloadThem(records, all) {
  const chosen = [...records.querySelectorAll('input[type="checkbox"]')].filter(
    box => box instanceof HTMLInputElement && (all || box.checked)
  )
  const status = records.querySelector('[data-status]')
  if (status !== null) {
    status.textContent = (records.dataset['text'] ?? '').replace('{count}', String(chosen.length))
  }
  for (const box of chosen) {
    if (box instanceof HTMLInputElement) download(box.value)
    await new Promise(resolve => setTimeout(resolve, PAUSE_MILLISECONDS))
  }
}

for (const records of document.querySelectorAll('[data-downloads]')) {
  if (!(records instanceof HTMLElement)) continue
  for (const part of records.querySelectorAll('[data-choice]')) part.removeAttribute('hidden')
  records.querySelector('[data-all]')?.addEventListener('click', () => downloadThem(records, true))
  records
    .querySelector('[data-chosen]')
    ?.addEventListener('click', () => downloadThem(records, false))
}
