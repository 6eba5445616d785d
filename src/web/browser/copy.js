/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// Buttons that copy what stands beside them. Without scripts they stay hidden, and people select it.

for (const button of document.querySelectorAll('button[data-copies]')) {
  if (!(button instanceof HTMLButtonElement)) continue
  const { copies = '', done = '' } = button.dataset
  const source = document.getElementById(copies)
  const told = document.getElementById(done)
  if (source === null) continue
  button.hidden = false
  button.addEventListener('click', async () => {
    const text = source.textContent?.trim() ?? ''
    try {
      await navigator.clipboard.writeText(text)
      if (told !== null) told.textContent = told.dataset['copied'] ?? ''
    } catch {
      getSelection()?.selectAllChildren(source)
      if (told !== null) told.textContent = told.dataset['selected'] ?? ''
    }
  })
}
