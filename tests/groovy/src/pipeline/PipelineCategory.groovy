package pipeline

import org.codehaus.groovy.runtime.InvokerHelper

/**
 * What Jenkins changes about everyday objects while pipeline code runs, as a Groovy category: the iterators of lists,
 * sets and maps survive serialisation, so a `for` loop or `each` around a step is no error (only what its body holds
 * can be one), and `sleep`, which Groovy gives every object, is a step. Static, or the category would apply to itself.
 */
@groovy.transform.CompileStatic
class PipelineCategory {
    private static class Cursor implements Iterator, Serializable {
        private final List items
        private int next

        Cursor(Collection items) { this.items = new ArrayList(items) }

        boolean hasNext() { next < items.size() }
        Object next() {
            if (!hasNext()) { throw new NoSuchElementException() }
            return items[next++]
        }
    }

    static Iterator iterator(List list) { new Cursor(list) }
    static Iterator iterator(Set set) { new Cursor(set) }
    static Iterator iterator(Map map) { new Cursor(entrySet(map)) }
    static Set keySet(Map map) { new LinkedHashSet((Collection) map.keySet()) }
    static Collection values(Map map) { new ArrayList((Collection) map.values()) }
    static Set entrySet(Map map) {
        List entries = map.entrySet().collect { new AbstractMap.SimpleImmutableEntry((Map.Entry) it) }
        return new LinkedHashSet(entries)
    }

    /** In a declarative pipeline `equals expected: …` is a condition, not what every closure has. */
    static Object equals(Closure self, Map arguments) { InvokerHelper.invokeMethod(self.delegate, 'equals', arguments) }

    static void sleep(Object self, long seconds) { PipelineScript.callStep('sleep', [seconds]) }
}
