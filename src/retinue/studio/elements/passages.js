// What a search has found: text with its matched words marked, and what each way of searching made of it.
export default {
  template: `
    <ol class="passages">
      <li v-for="(one, at) in results" :key="at">
        <article :aria-label="one.title">
          <header><span class="place">{{ at + 1 }}</span> <a :href="one.href" :download="one.file">{{ one.file }}</a> <span class="quiet">{{ one.where }}</span><span class="score"><span class="quiet">{{ labels.score }}</span> {{ one.score }}</span></header>
          <p class="passage" tabindex="0"><template v-for="part in one.parts"><mark v-if="part.marked">{{ part.text }}</mark><template v-else>{{ part.text }}</template></template></p>
          <p v-if="one.attributes" class="quiet mono">{{ one.attributes }}</p>
          <details :open="at === 0">
            <summary>{{ labels.why }}</summary>
            <p v-if="one.first" class="because">{{ one.first }}</p>
            <dl>
              <template v-for="leg in one.legs" :key="leg.name">
                <dt>{{ leg.name }}</dt>
                <dd><span class="bar" aria-hidden="true"><i :style="{ width: leg.share + '%' }"></i></span><b>{{ leg.score }}</b> <span>{{ leg.said }}</span></dd>
              </template>
            </dl>
            <p v-for="line in one.lines">{{ line }}</p>
          </details>
          <details v-if="one.before || one.behind">
            <summary>{{ labels.around }}</summary>
            <p class="passage" tabindex="0"><span class="quiet">{{ one.before }}</span><mark class="itself">{{ one.text }}</mark><span class="quiet">{{ one.behind }}</span></p>
          </details>
        </article>
      </li>
    </ol>`,
  props: { results: Array, labels: Object },
};
