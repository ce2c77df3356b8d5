// A list that saves its owner. Which calls save is core's own habit: add, addAll, remove and replaceBy do, replace and clear do not.
package hudson.util

import groovy.transform.CompileStatic
import java.util.concurrent.CopyOnWriteArrayList

@CompileStatic
class PersistedList<T> extends AbstractList<T> {
    private final List<T> data = new CopyOnWriteArrayList<T>()

    @Override T get(int index) { data[index] }
    @Override int size() { data.size() }
    @Override Iterator<T> iterator() { data.iterator() }
    public <U extends T> List<U> getAll(Class<U> type) { data.findAll { type.isInstance(it) } as List<U> }
    public <U extends T> U get(Class<U> type) { (U) data.find { type.isInstance(it) } }
    List<T> toList() { new ArrayList<T>(data) }

    @Override boolean add(T item) {
        data.add(item)
        onModified()
        true
    }

    @Override boolean addAll(Collection<? extends T> items) {
        data.addAll(items)
        onModified()
        true
    }

    @Override boolean remove(Object item) {
        boolean removed = data.remove(item)
        if (removed) {
            onModified()
        }
        removed
    }

    @Override void clear() { data.clear() }
    void replace(T from, T to) { set(data.collect { it == from ? to : it }) }

    void replaceBy(Collection<? extends T> items) {
        set(items)
        onModified()
    }

    /** What loading does. */
    protected void set(Collection<? extends T> items) {
        List<T> copy = new ArrayList<T>(items)
        data.clear()
        data.addAll(copy)
    }

    protected void onModified() { }
}
