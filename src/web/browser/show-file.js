/// <reference lib="dom" />
// Shows a document in place. It is read as a download is, so that it is recorded as one; nothing of it runs.

const place = /** @type {HTMLElement} */ (document.getElementById('shown'))
const { from = '', type = '', title = '', failed = '' } = place.dataset

/** @param {Response} answer */
async function show(answer) {
  if (!answer.ok) throw new Error('refused')
  if (type === 'text/plain') {
    const text = document.createElement('pre')
    text.className = 'app-typed'
    text.textContent = await answer.text()
    place.replaceChildren(text)
    return
  }
  const frame = document.createElement('iframe')
  frame.className = 'app-shown app-shown--document'
  frame.title = title
  frame.src = URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type }))
  place.replaceChildren(frame)
}

fetch(from)
  .then(show)
  .catch(() => {
    place.textContent = failed
  })
