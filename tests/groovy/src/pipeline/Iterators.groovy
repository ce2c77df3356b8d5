package pipeline

import groovy.transform.CompileStatic

/**
 * Iterators that survive serialisation, used as a Groovy category by pipeline code.
 *
 * Jenkins replaces the iterators of lists, sets and maps in the same way, so a `for` loop or `each` around a step is
 * not an error there; only what the loop's body holds can be one.
 * Compiled statically, or the category would apply to its own code.
 */
@CompileStatic
class Iterators {
    private static class Cursor implements ListIterator, Serializable {
        private final List items
        private int next

        Cursor(List items) { this.items = items }

        boolean hasNext() { next < items.size() }

        Object next() {
            if (!hasNext()) {
                throw new NoSuchElementException()
            }
            return items.get(next++)
        }

        boolean hasPrevious() { next > 0 }

        Object previous() { items.get(--next) }

        int nextIndex() { next }

        int previousIndex() { next - 1 }

        void remove() { items.remove(--next as int) }

        void set(Object item) { items.set(next - 1, item) }

        void add(Object item) { items.add(next++, item) }
    }

    static Iterator iterator(List list) { new Cursor(list) }

    static ListIterator listIterator(List list) { new Cursor(list) }

    static Iterator iterator(Set set) { new Cursor(new ArrayList(set)) }

    static Iterator iterator(Map map) { new Cursor(entries(map)) }

    static Set entrySet(Map map) { new LinkedHashSet(entries(map)) }

    static Set keySet(Map map) { new LinkedHashSet((Collection) map.keySet()) }

    static Collection values(Map map) { new ArrayList((Collection) map.values()) }

    private static List entries(Map map) {
        List entries = []
        for (Map.Entry entry : map.entrySet()) {
            entries.add(new AbstractMap.SimpleImmutableEntry(entry.key, entry.value))
        }
        return entries
    }
}
