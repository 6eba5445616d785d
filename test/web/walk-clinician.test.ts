import t from 'tap'
import { noBrowser } from '../helpers/browser.ts'
import { WALK_MILLISECONDS_MAX, walk } from './walk.ts'
import { setStage } from './walk-stage.ts'

t.setTimeout(WALK_MILLISECONDS_MAX)

t.test('the pages of clinicians but those about sharing', { skip: noBrowser() }, async t => {
  const stage = await setStage(t)
  await walk(t, stage, ['clinician'])
})
