# Debian packages: `cpack -G DEB` in a release build makes sluice and sluice-nginx.
#
# What is installed where is said here once; `cmake --install` follows it too.
set(SLUICE_PACKAGES ${CMAKE_CURRENT_LIST_DIR})
set(gen ${CMAKE_BINARY_DIR}/packages)

# ---- sluice: programs, and what starts them
install(TARGETS sluice-core sluice-proxy sluicectl RUNTIME DESTINATION bin COMPONENT sluice)
install(FILES ${SLUICE_PACKAGES}/copyright DESTINATION share/doc/sluice COMPONENT sluice)
install(FILES README.md DESTINATION share/doc/sluice COMPONENT sluice)
install(DIRECTORY deploy/supervisord DESTINATION share/doc/sluice/examples COMPONENT sluice)
install(DIRECTORY deploy/spawn-fcgi DESTINATION share/doc/sluice/examples COMPONENT sluice USE_SOURCE_PERMISSIONS)
install(FILES deploy/systemd/sluice-core.service deploy/systemd/sluice-core.socket
  deploy/systemd/sluice-proxy@.service deploy/systemd/sluice-proxy@.socket
  DESTINATION lib/systemd/system COMPONENT sluice)
install(FILES ${SLUICE_PACKAGES}/sluice.tmpfiles DESTINATION lib/tmpfiles.d RENAME sluice.conf COMPONENT sluice)
install(FILES ${SLUICE_PACKAGES}/sluice.env DESTINATION /etc/sluice
  PERMISSIONS OWNER_READ OWNER_WRITE COMPONENT sluice)
install(FILES deploy/systemd/proxy-p1.env DESTINATION /etc/sluice
  PERMISSIONS OWNER_READ OWNER_WRITE COMPONENT sluice)

# ---- sluice-nginx: snippets; a site to enable.  conf.d of an nginx that exists is read as a whole, so they live beside it.
file(GLOB snippets CONFIGURE_DEPENDS nginx/conf.d/*.conf)
list(APPEND snippets ${CMAKE_SOURCE_DIR}/deploy/nginx/upstreams-tcp.conf)
foreach(file ${snippets})
  get_filename_component(name ${file} NAME)
  file(READ ${file} text)
  string(REPLACE "include conf.d/" "include sluice/" text "${text}")
  file(CONFIGURE OUTPUT ${gen}/nginx/${name} CONTENT "${text}" @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
endforeach()
install(DIRECTORY ${gen}/nginx/ DESTINATION /etc/nginx/sluice COMPONENT sluice-nginx)
install(FILES deploy/nginx/site.conf DESTINATION /etc/nginx/sites-available RENAME sluice COMPONENT sluice-nginx)
install(DIRECTORY nginx/ui/ DESTINATION share/sluice/ui COMPONENT sluice-nginx)
install(FILES ${SLUICE_PACKAGES}/copyright DESTINATION share/doc/sluice-nginx COMPONENT sluice-nginx)

# ---- cpack
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "Sluice <sluice@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "workflow engine and API gateway behind nginx, on PostgreSQL")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL sluice sluice-nginx)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_SLUICE_PACKAGE_NAME sluice)
set(CPACK_DEBIAN_SLUICE_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_SLUICE_PACKAGE_DEPENDS "adduser, tzdata, ca-certificates")
set(CPACK_DEBIAN_SLUICE_PACKAGE_SUGGESTS "postgresql, sluice-nginx")
set(CPACK_DEBIAN_SLUICE_PACKAGE_CONTROL_EXTRA
  "${SLUICE_PACKAGES}/postinst;${SLUICE_PACKAGES}/prerm;${SLUICE_PACKAGES}/postrm;${SLUICE_PACKAGES}/sluice/conffiles")
set(CPACK_DEBIAN_SLUICE-NGINX_PACKAGE_NAME sluice-nginx)
set(CPACK_DEBIAN_SLUICE-NGINX_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_SLUICE-NGINX_PACKAGE_DEPENDS "nginx-light | nginx")
set(CPACK_DEBIAN_SLUICE-NGINX_DESCRIPTION "nginx in front of Sluice: snippets and a site to enable")
set(CPACK_DEBIAN_SLUICE-NGINX_PACKAGE_CONTROL_EXTRA "${gen}/sluice-nginx/conffiles")
set(conffiles "/etc/nginx/sites-available/sluice\n")
foreach(file ${snippets})
  get_filename_component(name ${file} NAME)
  string(APPEND conffiles "/etc/nginx/sluice/${name}\n")
endforeach()
file(WRITE ${gen}/sluice-nginx/conffiles "${conffiles}")
include(CPack)
