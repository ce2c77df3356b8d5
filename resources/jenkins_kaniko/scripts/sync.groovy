// What `jenkins-kaniko sync` runs on a controller, through its script console. The text is constant: all data
// comes in by one call of answer() put after this text, as gzipped base64 JSON in string literals, so that nothing
// in a configuration can become code. Two verbs, read and apply; the thinking stays in Python.
// The answer is one line of JSON between two sentinels: a script console answers errors with HTTP 200 too.

import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic
import jenkins.model.Jenkins
import java.security.MessageDigest
import java.util.zip.GZIPInputStream

class Refusal extends RuntimeException {
    String code
    Map details
    Refusal(String code, String message, Map details = [:]) {
        super(message)
        this.code = code
        this.details = details
    }
}

class PodTemplates {
    static final String PLUGIN = 'org.csanchez.jenkins.plugins.kubernetes.'

    // Properties that a configuration can set. What else a template holds counts in the state's hash, and is
    // reported below `other` when it is not a new template's.
    static final List<String> MANAGED = ['name', 'label', 'namespace', 'inheritFrom', 'idleMinutes', 'instanceCap',
        'slaveConnectTimeout', 'activeDeadlineSeconds', 'podRetention', 'nodeUsageMode', 'showRawYaml',
        'annotations', 'yaml']
    static final List<String> OTHER = ['containers', 'volumes', 'workspaceVolume', 'envVars', 'imagePullSecrets',
        'serviceAccount', 'nodeSelector', 'hostNetwork', 'yamlMergeStrategy', 'inheritYamlMergeStrategy',
        'supplementalGroups', 'runAsUser', 'runAsGroup', 'schedulerName', 'terminationGracePeriodSeconds']

    final def jenkins
    final ClassLoader plugins

    PodTemplates(jenkins) {
        this.jenkins = jenkins
        this.plugins = jenkins.pluginManager.uberClassLoader
    }

    Map answer(Map input) {
        def plugin = jenkins.pluginManager.getPlugin('kubernetes')
        if (plugin == null || !plugin.active) {
            throw new Refusal('plugin-missing', 'the kubernetes plugin is not installed or not active')
        }
        def cloud = findCloud(input.cloud)
        if (input.verb == 'apply') {
            // two clients at once: the second one finds that the state moved
            synchronized (jenkins) {
                apply(cloud, input)
            }
        }
        return state(cloud, plugin.version.toString())
    }

    def findCloud(String name) {
        def kind = load('KubernetesCloud')
        def named = jenkins.clouds.findAll { it.name == name }
        def found = named.findAll { kind.isInstance(it) }
        if (named.size() > 1) {
            throw new Refusal('cloud-ambiguous', "${named.size()} clouds are named '${name}'")
        }
        if (found.isEmpty()) {
            def names = jenkins.clouds.findAll { kind.isInstance(it) }.collect { it.name }
            throw new Refusal('cloud-missing', "no Kubernetes cloud is named '${name}'", [clouds: names])
        }
        return found[0]
    }

    Map state(cloud, String pluginVersion) {
        def fresh = load('PodTemplate').getConstructor(String).newInstance('fresh')
        def defaults = fields(fresh, [:])
        // `templates` are the cloud's own; getAllTemplates() would add those of running podTemplate steps
        return [
            cloud: cloud.name, core: jenkins.getVersion().toString(), plugin: pluginVersion,
            hash: hash(cloud), defaults: defaults, casc: cascSources(),
            templates: cloud.templates.collect { [id: it.id, name: it.name, fields: fields(it, defaults)] },
        ]
    }

    /** What differs from a new template of this plugin version; every field where `defaults` is empty. */
    Map fields(template, Map defaults) {
        def result = [:]
        (MANAGED + OTHER).each { name ->
            if (template.metaClass.hasProperty(template, name)) {
                def value = describe(template[name])
                if (defaults.isEmpty() || value != defaults[name]) {
                    result[name] = value
                }
            }
        }
        return result
    }

    def describe(value) {
        if (value == null || value == '') {
            return null
        }
        if (value instanceof Boolean || value instanceof Number || value instanceof String) {
            return value
        }
        if (value instanceof Enum) {
            return value.name()
        }
        if (value instanceof Collection) {
            return value.collect { describe(it) }
        }
        def type = value.class.simpleName
        if (type == 'PodAnnotation') {
            return [key: value.key, value: value.value]
        }
        if (value.class.name.startsWith(PLUGIN + 'pod.')) {
            return type
        }
        return jenkins.XSTREAM2.toXML(value)
    }

    void apply(cloud, Map input) {
        if (hash(cloud) != input.hash) {
            throw new Refusal('state-moved', "the pod templates of cloud '${cloud.name}' changed since the plan")
        }
        def old = new ArrayList(cloud.templates)
        cloud.setTemplates(input.templates.collect { it.keep != null ? old[it.keep] : build(it.put) })
        // saves and trims labels in one; replace() and clear() do neither
        jenkins.clouds.replaceBy(new ArrayList(jenkins.clouds.toList()))
    }

    def build(Map wanted) {
        def template = load('PodTemplate').getConstructor(String).newInstance(wanted.id)
        wanted.fields.each { name, value ->
            if (!(name in MANAGED) || !template.metaClass.hasProperty(template, name)) {
                throw new Refusal('field-unknown', "this plugin version has no field '${name}'", [field: name])
            }
            template[name] = convert(name, value)
        }
        return template
    }

    def convert(String name, value) {
        switch (name) {
            case 'podRetention':
                return load("pod.retention.${value}").newInstance()
            case 'nodeUsageMode':
                return plugins.loadClass('hudson.model.Node$Mode').valueOf(value)
            case 'annotations':
                def kind = load('PodAnnotation').getConstructor(String, String)
                return value.collect { kind.newInstance(it.key, it.value) }
            default:
                return value
        }
    }

    String hash(cloud) {
        def digest = MessageDigest.getInstance('SHA-256')
        cloud.templates.each { digest.update(jenkins.XSTREAM2.toXML(it).getBytes('UTF-8')) }
        return digest.digest().encodeHex().toString()
    }

    /** Sources of configuration-as-code that define clouds: their next reload replaces the list of clouds. */
    List<String> cascSources() {
        def plugin = jenkins.pluginManager.getPlugin('configuration-as-code')
        if (plugin == null || !plugin.active) {
            return []
        }
        def casc = plugins.loadClass('io.jenkins.plugins.casc.ConfigurationAsCode').get()
        return casc.sources.collectMany { yamlFiles(it) }.findAll { definesClouds(it) }*.toString()
    }

    List<File> yamlFiles(String source) {
        def file = new File(source)
        return file.directory ? file.listFiles().findAll { it.name ==~ /.*\.ya?ml/ }.sort() : [file]
    }

    boolean definesClouds(File file) {
        // a source that is a URL is no file here; it counts as one that may define them
        return !file.file || file.getText('UTF-8') =~ /(?m)^\s+clouds\s*:/
    }

    Class load(String name) {
        return plugins.loadClass(PLUGIN + name)
    }
}

String unpacked(List<String> input) {
    def bytes = new ByteArrayInputStream(input.join('').decodeBase64())
    return new GZIPInputStream(bytes).getText('UTF-8')
}

void answer(List<String> input) {
    Map envelope
    try {
        def request = new JsonSlurperClassic().parseText(unpacked(input))
        envelope = [ok: true] + new PodTemplates(Jenkins.get()).answer(request)
    } catch (Refusal refusal) {
        envelope = [ok: false, code: refusal.code, message: refusal.message] + refusal.details
    }
    println '<<<jenkins-kaniko'
    println JsonOutput.toJson(envelope)
    println 'jenkins-kaniko>>>'
}
