export default {
  template: `
    <div class="stack">
      <div class="filters">
        <q-input v-model="sought" outlined dense clearable type="search" :label="labels.search" maxlength="100" />
        <q-checkbox v-model="changed" :label="labels.changed" />
        <span class="quiet small" role="status">{{ labels.count.replace("{count}", found.length) }}</span>
      </div>
      <div v-if="!found.length" class="empty card">{{ labels.nothing }}</div>
      <section v-for="group in groups" :key="group.name" class="card">
        <h2>{{ group.name }}</h2>
        <div v-for="one in group.settings" :key="one.id" class="setting">
          <div>
            <div class="mono name">{{ one.id }}</div>
            <div class="mono small quiet">{{ one.environment }}</div>
          </div>
          <div>
            <div class="of">
              <span v-if="one.secret && one.set" class="quiet">{{ labels.secret_set }}</span>
              <span v-else-if="one.value === null || one.value === ''" class="quiet">{{ labels.unset }}</span>
              <span v-else class="mono">{{ one.value }}</span>
              <span v-if="one.source !== 'default'" class="pill">{{ labels[one.source] }}</span>
              <span v-if="one.source !== 'default' && one.default !== null && one.default !== one.value"
                class="quiet small">{{ labels.default_is.replace("{value}", one.default || labels.unset) }}</span>
            </div>
            <div class="quiet small">{{ one.description }}</div>
          </div>
        </div>
      </section>
    </div>`,
  props: { settings: Array, labels: Object },
  data: () => ({ sought: "", changed: false }),
  computed: {
    found() {
      const words = (this.sought ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      return this.settings.filter((one) => {
        if (this.changed && one.source === "default") return false;
        const text = `${one.id} ${one.environment} ${one.description} ${one.group} ${one.value ?? ""}`.toLowerCase();
        return words.every((word) => text.includes(word));
      });
    },
    groups() {
      const groups = new Map();
      for (const one of this.found) {
        if (!groups.has(one.group)) groups.set(one.group, { name: one.group, settings: [] });
        groups.get(one.group).settings.push(one);
      }
      return [...groups.values()];
    },
  },
};
