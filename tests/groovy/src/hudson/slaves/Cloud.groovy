package hudson.slaves

import groovy.transform.CompileStatic
import hudson.model.Label

@CompileStatic
abstract class Cloud implements Serializable {
    /** Public, as in core; only a copy or a file ever sets it again. */
    public String name

    protected Cloud(String name) { this.name = name }
    String getDisplayName() { name }
    String getUrl() { "cloud/$name/" }

    abstract boolean canProvision(Label label)
}
